import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type Asked, type Fleet, say, startFleet } from './support/fleet.ts';
import { ask, callsOf, callsWhen, undisturbed } from './support/simulator.ts';

/** A dead worker's lock lives for up to 6 s, and each test starts processes of its own on a busy machine. */
jest.setTimeout(60_000);

let fleet: Fleet;
/** Which of the two instances holds the job: it alone was running when the job came. */
const [FIRST, SECOND] = ['llm-worker', 'llm-worker-2'] as const;

beforeEach(async () => {
  fleet = await startFleet();
});

afterEach(async () => {
  await fleet.stop();
});

const startSecond = () => fleet.services.start('llm-worker', SECOND);

/** Kills the worker in the middle of an answer; resolves when the next one has gone on with it. */
async function killMidAnswer(worker: string, { reading }: Asked): Promise<void> {
  const before = reading.arrivals().length;
  const killedAt = Date.now();
  await fleet.services.kill(worker);
  // A piece that was on its way when the worker died is not the next worker's.
  const inFlight = reading.arrivals().length;
  await reading.pieces(inFlight + 1);
  const next = reading.arrivals()[inFlight] ?? 0;
  say(`${worker} killed after ${before} pieces; the stream went on ${next - killedAt} ms later`);
}

async function expectWhole(
  { reading, jobId }: Asked,
  body: Record<string, unknown>,
  attempts: number,
): Promise<void> {
  await reading.over;
  expect(reading.error()).toBeUndefined();
  expect(reading.text()).toBe(await undisturbed(body));
  expect(reading.done()).toBe(true);
  expect(await fleet.store.ending(jobId)).toMatchObject([{ type: 'completed' }]);
  const begun = (await fleet.store.events(jobId)).filter(({ type }) => type === 'attempt');
  expect(begun).toHaveLength(attempts);
}

describe('an answer whose worker is killed in the middle', () => {
  test.each(['turnout-sim', 'turnout-sim-prefill'])(
    'goes on exactly where it stopped (%s)',
    async (model) => {
      const body = { model, messages: ask('What is a turnout?', 'tokens=60; tps=15') };
      const asked = fleet.ask(body);
      await asked.reading.pieces(5);
      await startSecond();
      await killMidAnswer(FIRST, asked);
      await expectWhole(asked, body, 2);
      const continuation = model === 'turnout-sim' ? 'request' : 'prefill';
      expect(await callsOf(asked.jobId)).toMatchObject([{ outcome: 'aborted' }, { continuation }]);
    },
  );

  test('goes on after a second kill, too', async () => {
    const body = { model: 'turnout-sim', messages: ask('What is a signal?', 'tokens=120; tps=8') };
    const asked = fleet.ask(body);
    await asked.reading.pieces(5);
    await startSecond();
    await killMidAnswer(FIRST, asked);
    await fleet.services.start('llm-worker', FIRST);
    await killMidAnswer(SECOND, asked);
    await expectWhole(asked, body, 3);
  });

  test('goes on when the model sends the whole answer again: the repetition is dropped', async () => {
    const body = {
      model: 'turnout-sim',
      messages: ask('What is a switch?', 'tokens=60; tps=15; continue=same'),
    };
    const asked = fleet.ask(body);
    await asked.reading.pieces(5);
    await startSecond();
    await killMidAnswer(FIRST, asked);
    await expectWhole(asked, body, 2);
  });

  test.each(['different', 'refuse'])('fails typed when the model does not continue it (%s)', async (mode) => {
    const knobs = `tokens=80; tps=15; continue=${mode}`;
    const body = { model: 'turnout-sim', messages: ask('Where does the line from the harbour end?', knobs) };
    const asked = fleet.ask(body);
    await asked.reading.pieces(20);
    await startSecond();
    await fleet.services.kill(FIRST);
    await asked.reading.over;
    expect(asked.reading.error()).toBe(mode === 'refuse' ? 'upstream_rejected' : 'upstream_cut');
    expect(asked.reading.done()).toBe(false);
    const seen = asked.reading.text();
    expect((await undisturbed(body)).slice(0, seen.length)).toBe(seen);
    expect(await fleet.store.ending(asked.jobId)).toHaveLength(1);
  });

  test('fails as attempt_lost when it is JSON: half of it cannot be continued', async () => {
    const body = {
      model: 'turnout-sim',
      response_format: { type: 'json_object' },
      messages: ask(
        'Answer as JSON: what is a turnout, and who built the first one in this country?',
        'tps=3',
      ),
    };
    const asked = fleet.ask(body);
    await asked.reading.pieces(2);
    await startSecond();
    await fleet.services.kill(FIRST);
    await asked.reading.over;
    expect(asked.reading.error()).toBe('attempt_lost');
    expect(asked.reading.done()).toBe(false);
    expect(await fleet.store.ending(asked.jobId)).toMatchObject([{ type: 'failed' }]);
    expect(await callsOf(asked.jobId)).toHaveLength(1);
  });

  test('does not think aloud a second time', async () => {
    const body = {
      model: 'turnout-sim-reasoner',
      messages: ask('What is a block?', 'reasoning=20; tokens=40; tps=20'),
    };
    const asked = fleet.ask(body);
    await asked.reading.pieces(3);
    const thoughts = asked.reading.reasoning();
    await startSecond();
    await killMidAnswer(FIRST, asked);
    await expectWhole(asked, body, 2);
    expect(asked.reading.reasoning()).toBe(thoughts);
  });
});

test('an answer of which nothing was visible yet begins again', async () => {
  const body = { model: 'turnout-sim', messages: ask('What is a siding?', 'ttft=3000; tokens=20') };
  const asked = fleet.ask(body);
  await callsWhen(asked.jobId, (calls) => calls.length === 1);
  await startSecond();
  await fleet.services.kill(FIRST);
  await expectWhole(asked, body, 2);
  expect(await callsOf(asked.jobId)).toMatchObject([{ outcome: 'aborted' }, { continuation: 'none' }]);
});
