import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { type Fleet, startFleet } from './support/fleet.ts';
import { deadLetters } from './support/dead-letters.ts';
import { ask, callsOf, callsWhen } from './support/simulator.ts';

/** Each attempt costs a worker, and the 6 to 8 s until its lock expires. */
jest.setTimeout(120_000);

const MAX_ATTEMPTS = 3;
let fleet: Fleet;

beforeEach(async () => {
  fleet = await startFleet({ MAX_ATTEMPTS: String(MAX_ATTEMPTS) });
});

afterEach(() => fleet.stop());

test('a job that kills every worker that starts it fails after a bounded number of attempts', async () => {
  const { reading, jobId } = fleet.ask({ model: 'turnout-sim', messages: ask('Why?', 'ttft=100000') });
  for (let start = 1; start <= MAX_ATTEMPTS; start += 1) {
    await callsWhen(jobId, (calls) => calls.length === start);
    await fleet.services.kill('llm-worker');
    await fleet.services.start('llm-worker');
  }
  await reading.over;
  expect(reading.error()).toBe('poison_job');
  // The dead letter is written before the client gets the error, so that an operator can inspect the job.
  const [letter] = await deadLetters(fleet.services.prefix);
  expect(letter).toMatchObject({ origin: `bullmq/llm/${jobId}`, originalId: jobId });
  expect(letter?.reason).toBe('poison_job: started 3 times without finishing');
  expect(JSON.parse(letter?.value ?? '')).toMatchObject({ jobId, model: 'turnout-sim' });
  expect(await callsOf(jobId)).toHaveLength(MAX_ATTEMPTS);
  expect(await fleet.store.ending(jobId)).toMatchObject([{ type: 'failed', error: { code: 'poison_job' } }]);
});
