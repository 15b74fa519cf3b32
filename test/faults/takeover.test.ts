import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type Asked, type Fleet, say, startFleet } from './support/fleet.ts';
import { ask, callsOf, callsWhen, undisturbed } from './support/simulator.ts';

/** Starting processes takes time, and a dead worker's lock lasts up to 6 s. */
jest.setTimeout(60_000);

/** Slow enough that the second worker is ready before an answer ends. */
const PACE = 'tps=6';
const QUESTION = 'Where does the line from the harbour end?';
const sim = 'turnout-sim';

const bodies = {
  plain: { model: sim, messages: ask(QUESTION, `tokens=90; ${PACE}`) },
  prefill: { model: 'turnout-sim-prefill', messages: ask(QUESTION, `tokens=90; ${PACE}`) },
  bare: { model: sim, messages: ask(QUESTION, `tokens=90; ${PACE}; continue=bare`) },
  quoted: { model: sim, messages: ask(QUESTION, `tokens=90; ${PACE}; continue=quoted`) },
  tagged: { model: sim, messages: ask(QUESTION, `tokens=90; ${PACE}; continue=tagged`) },
  same: { model: sim, messages: ask(QUESTION, `tokens=90; ${PACE}; continue=same`) },
  different: { model: sim, messages: ask(QUESTION, `tokens=90; ${PACE}; continue=different`) },
  refuse: { model: sim, messages: ask(QUESTION, `tokens=90; ${PACE}; continue=refuse`) },
  json: {
    model: sim,
    response_format: { type: 'json_object' },
    messages: ask(`${QUESTION} `.repeat(20), 'tps=1'),
  },
  jsonWhole: {
    model: sim,
    stream: false,
    response_format: { type: 'json_object' },
    messages: ask(`${QUESTION} `.repeat(6), PACE),
  },
  reasoning: {
    model: 'turnout-sim-reasoner',
    messages: ask(QUESTION, `reasoning=10; tokens=90; ${PACE}`),
  },
  invisible: { model: sim, messages: ask(QUESTION, 'ttft=15000; tokens=20') },
} as const;
type Kind = keyof typeof bodies;

describe('when a worker is killed in mid-answer', () => {
  let fleet: Fleet;
  let asked: Record<Kind, Asked>;
  /** What each client had received when the worker was gone. */
  let seen: Record<Kind, { text: string; reasoning: string }>;

  beforeAll(async () => {
    fleet = await startFleet();
    asked = mapValues(bodies, (body) => fleet.ask(body));
    await fleet.services.start('llm-worker', 'llm-worker-2');
    const visible = Object.entries(asked).filter(([kind]) => kind !== 'invisible' && kind !== 'jsonWhole');
    await callsWhen(asked.jsonWhole.jobId, ([call]) => (call?.completionTokens ?? 0) > 2);
    await Promise.all(visible.map(([kind, { reading }]) => reading.pieces(kind === 'json' ? 2 : 8)));
    await killWorker(fleet, 'llm-worker', Object.values(asked));
    seen = mapValues(asked, ({ reading }) => ({ text: reading.text(), reasoning: reading.reasoning() }));
  });

  afterAll(() => fleet.stop());

  const terminalOf = (kind: Kind) => fleet.store.ending(asked[kind].jobId);

  async function expectWhole(kind: Kind): Promise<void> {
    const { reading, jobId } = asked[kind];
    await reading.over;
    expect(reading.error()).toBeUndefined();
    expect(reading.text()).toBe(await undisturbed(bodies[kind]));
    expect(reading.done()).toBe(true);
    expect(await terminalOf(kind)).toMatchObject([{ type: 'completed' }]);
    const attempts = (await fleet.store.events(jobId)).filter(({ type }) => type === 'attempt');
    expect(attempts).toHaveLength(2);
  }

  async function expectTypedFailure(kind: Kind, code: string): Promise<void> {
    const { reading } = asked[kind];
    await reading.over;
    expect(reading.error()).toBe(code);
    expect(reading.done()).toBe(false);
    expect(reading.text()).toBe(seen[kind].text);
    expect(await terminalOf(kind)).toMatchObject([{ type: 'failed', error: { code } }]);
  }

  test('an answer continues exactly where it stopped, by asking the model to continue', async () => {
    await expectWhole('plain');
    expect(await callsOf(asked.plain.jobId)).toMatchObject([
      { outcome: 'aborted' },
      { continuation: 'request' },
    ]);
  });

  test('an answer continues by prefill if the model supports it', async () => {
    await expectWhole('prefill');
    expect(await callsOf(asked.prefill.jobId)).toMatchObject([
      { outcome: 'aborted' },
      { continuation: 'prefill' },
    ]);
  });

  test('a model may omit the words it was asked to begin with', () => expectWhole('bare'));

  test('a model may put these words into quotation marks', () => expectWhole('quoted'));

  test('a model may repeat the tags around these words', () => expectWhole('tagged'));

  test('a model may send the whole answer again: the client sees it once', () => expectWhole('same'));

  test('a model that continues differently never changes the text sent so far, and the record is what the client saw', async () => {
    const { reading, jobId } = asked.different;
    await reading.over;
    expect(reading.text().slice(0, seen.different.text.length)).toBe(seen.different.text);
    expect(await terminalOf('different')).toHaveLength(1);
    const stored = (await fleet.store.events(jobId)).map((event) =>
      event.type === 'text' ? event.delta : '',
    );
    expect(reading.text()).toBe(stored.join(''));
  });

  test('a model that refuses to continue ends the answer with a typed error, never as complete', () =>
    expectTypedFailure('refuse', 'attempt_lost'));

  test('half a streamed JSON answer fails with attempt_lost, and the model is not called again', async () => {
    await expectTypedFailure('json', 'attempt_lost');
    expect(await callsOf(asked.json.jobId)).toHaveLength(1);
  });

  test('a JSON answer without streaming starts again, and is complete', async () => {
    await expectWhole('jsonWhole');
    expect(await callsOf(asked.jsonWhole.jobId)).toMatchObject([
      { outcome: 'aborted' },
      { continuation: 'none' },
    ]);
  });

  test('reasoning that was already sent is not repeated', async () => {
    await expectWhole('reasoning');
    expect(asked.reasoning.reading.reasoning()).toBe(seen.reasoning.reasoning);
  });

  test('an answer without visible text starts again', async () => {
    await expectWhole('invisible');
    expect(await callsOf(asked.invisible.jobId)).toMatchObject([
      { outcome: 'aborted' },
      { continuation: 'none' },
    ]);
  });
});

test('an answer survives two worker kills in a row', async () => {
  const fleet = await startFleet();
  try {
    const body = { model: sim, messages: ask(QUESTION, `tokens=120; ${PACE}`) };
    const asked = fleet.ask(body);
    await fleet.services.start('llm-worker', 'llm-worker-2');
    await asked.reading.pieces(8);
    await killWorker(fleet, 'llm-worker', [asked]);
    await callsWhen(asked.jobId, (calls) => (calls[1]?.completionTokens ?? 0) > 3);
    await killWorker(fleet, 'llm-worker-2', [asked]);
    await fleet.services.start('llm-worker');
    await asked.reading.over;
    expect(asked.reading.text()).toBe(await undisturbed(body));
    expect(asked.reading.done()).toBe(true);
    expect(await callsOf(asked.jobId)).toHaveLength(3);
  } finally {
    await fleet.stop();
  }
});

/** Kills a worker, and prints how long each stream was silent. Resolves when the process is gone. */
async function killWorker(fleet: Fleet, worker: string, asked: readonly Asked[]): Promise<void> {
  const killedAt = Date.now();
  await fleet.services.kill(worker);
  for (const { reading } of asked) {
    reading.pieceAfter(killedAt + IN_FLIGHT_MS).then(
      (at) => say(`continued ${at - killedAt} ms after the kill`),
      () => undefined, // answers that end without continuing are covered by other tests
    );
  }
}

/** A piece that arrives this soon after a kill was already on its way. */
const IN_FLIGHT_MS = 1_500;

function mapValues<K extends string, A, B>(
  record: Readonly<Record<K, A>>,
  map: (value: A) => B,
): Record<K, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value as A)])) as Record<
    K,
    B
  >;
}
