/** `make soak`: half load for ten minutes (FULL=1: an hour; MINUTES=n), with restarts and kills. Exits with 1 if the report is unhealthy. */
import { sayAs, writeReport } from '../../../stack/reports.ts';
import { startGround } from '../suite/ground.ts';
import { suiteQuestions } from '../suite/questions.ts';
import { complaints, describeSoak } from './report.ts';
import { runSoak } from './run-soak.ts';
import { COLLECTING } from './samples.ts';
import { soakMinutes } from './settings.ts';

const say = sayAs('soak');

/**
 * Short, so that the data of ended jobs is removed during the soak instead of accumulating for an hour. Longer than the minute of messages
 * that a router rereads when it starts: a message whose job record has expired by then becomes a dead letter.
 */
const RETENTION_MS = 90_000;

const minutes = soakMinutes(process.env);
const retention = { LOG_RETENTION_MS: String(RETENTION_MS), KEEP_FINISHED_MS: String(RETENTION_MS) };
const ground = await startGround(say, { ...retention, ...COLLECTING });
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    say(`${signal}: stopping`);
    void ground.stop().finally(() => process.exit(1));
  });
}
try {
  // Provider faults are covered by other tests.
  const questions = suiteQuestions().filter(({ body }) => !JSON.stringify(body).includes('failTimes'));
  const report = await runSoak({ ground, questions, minutes, retentionMs: RETENTION_MS, say });
  for (const line of describeSoak(report)) console.log(line);
  const wrong = complaints(report);
  for (const complaint of wrong) console.log(`WRONG ${complaint}`);
  writeReport('soak', report, say);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  await ground.stop();
}
