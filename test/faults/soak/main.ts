/** `make soak`: half load for ten minutes (FULL=1: an hour; MINUTES=n), with restarts and kills; ends with 1 when unhealthy. */
import { sayAs, writeReport } from '../../../stack/reports.ts';
import { startGround } from '../suite/ground.ts';
import { suiteQuestions } from '../suite/questions.ts';
import { complaints, describeSoak } from './report.ts';
import { runSoak } from './run-soak.ts';
import { COLLECTING } from './samples.ts';
import { soakMinutes } from './settings.ts';

const say = sayAs('soak');

/**
 * So that what belongs to ended jobs comes and goes within the soak, instead of piling up for an hour. Longer than the minute
 * that a router reads again when it starts: a message whose job's record has expired meanwhile is a dead letter.
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
  // A provider's own faults are another test's.
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
