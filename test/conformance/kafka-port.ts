import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import {
  type Batch,
  type Consumer,
  type ConsumerOptions,
  type InboundMessage,
  type Kafka,
  type PositionQuestion,
  type Producer,
} from '../../shared/kafka/port.ts';
import { until } from '../../stack/until.ts';

const PARTITIONS = 4;
const WAIT_MS = 30_000;

/** What Turnout relies on in Kafka. Every adapter of the port must pass; run it against a real broker. */
export function describeKafkaPort(name: string, create: () => Kafka): void {
  describe(`the Kafka port on ${name}`, () => {
    let kafka: Kafka;
    let producer: Producer;
    let topic: string;
    let consumers: Consumer[];

    beforeAll(async () => {
      kafka = create();
      producer = await kafka.producer();
    });

    beforeEach(async () => {
      topic = `t-${randomBytes(6).toString('hex')}`;
      consumers = [];
      await kafka.ensureTopics([{ topic, partitions: PARTITIONS }]);
    });

    afterEach(() => Promise.all(consumers.map((consumer) => consumer.close())));
    afterAll(() => producer.close());

    const send = (key: string, value: string) => producer.send({ topic, key, value, headers: {} });
    const sendAll = (count: number, keys = 50) =>
      Promise.all(Array.from({ length: count }, (_, i) => send(`key-${i % keys}`, String(i))));

    async function join(
      more: Partial<ConsumerOptions> & Pick<ConsumerOptions, 'onBatch'>,
    ): Promise<Consumer> {
      const consumer = kafka.consumer({
        groupId: `${topic}-group`,
        topic,
        partitionsAtOnce: PARTITIONS,
        ...more,
      });
      consumers.push(consumer);
      await consumer.start();
      await eventually(() => consumer.joined());
      return consumer;
    }

    async function leave(consumer: Consumer): Promise<void> {
      consumers.splice(consumers.indexOf(consumer), 1);
      await consumer.close();
    }

    describe('topics', () => {
      test('are made once, however often and by however many they are asked for', async () => {
        const specs = [
          { topic: `${topic}.a`, partitions: 2 },
          { topic: `${topic}.b`, partitions: 1 },
        ];
        await Promise.all([kafka.ensureTopics(specs), kafka.ensureTopics(specs), kafka.ensureTopics(specs)]);
        await kafka.ensureTopics(specs);
        await producer.send({ topic: `${topic}.b`, key: 'k', value: 'v', headers: {} });
      });
    });

    describe('what is sent', () => {
      test('arrives as it was: key, value, headers, a growing offset, a time', async () => {
        const seen = collector();
        const startedAt = Date.now();
        await producer.send({
          topic,
          key: 'Jürgen',
          value: '{"ä":"€ 😀"}',
          headers: { ce_id: 'x', leer: '' },
        });
        await producer.send({ topic, key: 'Jürgen', value: '', headers: {} });
        await join({ onBatch: seen.onBatch });
        await eventually(() => seen.messages.length === 2);
        const [first, second] = seen.messages;
        expect(first).toMatchObject({
          topic,
          key: 'Jürgen',
          value: '{"ä":"€ 😀"}',
          headers: { ce_id: 'x', leer: '' },
        });
        expect(second).toMatchObject({
          value: '',
          partition: first?.partition,
          offset: (first?.offset ?? 0n) + 1n,
        });
        expect(first?.timestamp).toBeGreaterThanOrEqual(startedAt - 1_000);
      });

      test('is neither lost nor doubled, and keeps its order within a key: 5,000 on a fresh topic', async () => {
        const seen = collector();
        await join({ onBatch: seen.onBatch });
        await sendAll(5_000);
        await eventually(() => seen.messages.length >= 5_000);
        expect(new Set(seen.messages.map(({ value }) => value)).size).toBe(5_000);
        expect(seen.messages).toHaveLength(5_000);
        for (const [, group] of Map.groupBy(seen.messages, ({ key }) => key)) {
          const order = group.map(({ value }) => Number(value));
          expect(order).toEqual(order.toSorted((a, b) => a - b));
          expect(new Set(group.map(({ partition }) => partition)).size).toBe(1);
        }
      }, 60_000);

      test('to a topic that nobody made is refused, and the producer lives on', async () => {
        const other = await kafka.producer();
        await expect(
          other.send({ topic: `${topic}.none`, key: 'k', value: 'v', headers: {} }),
        ).rejects.toThrow();
        await other.send({ topic, key: 'k', value: 'v', headers: {} });
        expect(other.connected()).toBe(true);
        await other.close();
      }, 30_000);
    });

    describe('a position', () => {
      test('is where reading begins, at every assignment', async () => {
        await sendToOnePartition(10);
        const seen = collector();
        const asked: number[] = [];
        const position = ({ partition }: PositionQuestion) => {
          asked.push(partition);
          return Promise.resolve(7n);
        };
        await leave(
          await join({ position, onBatch: seen.onBatch }).then(async (consumer) => {
            await eventually(() => seen.messages.length === 3);
            return consumer;
          }),
        );
        expect(asked.toSorted()).toEqual([0, 1, 2, 3]);
        expect(seen.offsets()).toEqual([7n, 8n, 9n]);
        // The group has committed 10 by now; the position wins.
        await join({ position: () => Promise.resolve(4n), onBatch: seen.onBatch });
        await eventually(() => seen.messages.length === 9);
        expect(seen.offsets().slice(3)).toEqual([4n, 5n, 6n, 7n, 8n, 9n]);
      });

      test('that takes its time holds everything back; what was fetched before it is not handed over', async () => {
        await sendToOnePartition(10);
        const seen = collector();
        const { promise: found, resolve: answer } = Promise.withResolvers<bigint>();
        let asked = 0;
        const position = () => ((asked += 1), found);
        await join({ position, onBatch: seen.onBatch });
        await eventually(() => asked === PARTITIONS);
        // Another consumer reads the topic to its end meanwhile: long enough for this one to have fetched.
        const other = collector();
        await join({ groupId: `${topic}-other`, onBatch: other.onBatch });
        await eventually(() => other.messages.length === 10);
        expect(seen.messages).toEqual([]);
        answer(5n);
        await eventually(() => seen.messages.length >= 5);
        expect(seen.offsets()).toEqual([5n, 6n, 7n, 8n, 9n]);
      });

      test('of undefined leaves it to what the group has committed', async () => {
        await sendToOnePartition(5);
        const seen = collector();
        const position = () => Promise.resolve(undefined);
        const first = await join({ position, onBatch: seen.onBatch });
        await eventually(() => seen.messages.length === 5);
        await leave(first);
        await sendToOnePartition(2);
        await join({ position, onBatch: seen.onBatch });
        await eventually(() => seen.messages.length >= 7);
        expect(seen.offsets()).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 6n]);
      });

      test('that cannot be found at first is asked for again', async () => {
        await sendToOnePartition(3);
        const seen = collector();
        let asked = 0;
        const position = () =>
          (asked += 1) <= PARTITIONS ? Promise.reject(new Error('away')) : Promise.resolve(2n);
        await join({ position, onBatch: seen.onBatch });
        await eventually(() => seen.messages.length >= 1);
        expect(seen.offsets()).toEqual([2n]);
      });
    });

    describe('whoever is asked for a position', () => {
      test('can ask what the group has committed, and which offset came at what time', async () => {
        await sendToOnePartition(3);
        const seen = collector();
        await leave(await joinAndRead(seen, 3));
        const [first, , third] = seen.messages;
        if (!first || !third) throw new Error('three messages were sent');
        const found: (bigint | undefined)[] = [];
        const answered: Promise<void>[] = [];
        await join({
          onBatch: () => Promise.resolve(),
          position: async ({ partition, offsets }) => {
            if (partition !== first.partition) return undefined;
            const answers = Promise.all([
              offsets.committed(),
              offsets.at(0),
              offsets.at(first.timestamp),
              offsets.at(third.timestamp + 1),
            ]);
            answered.push(answers.then((all) => void found.push(...all)));
            await answers;
            return undefined;
          },
        });
        await eventually(() => answered.length > 0);
        await Promise.all(answered);
        expect(found).toEqual([3n, 0n, 0n, 3n]);
      });

      test('learns that a group has committed nothing', async () => {
        const committed: (bigint | undefined)[] = [];
        await join({
          onBatch: () => Promise.resolve(),
          position: async ({ offsets }) => {
            committed.push(await offsets.committed());
            return undefined;
          },
        });
        await eventually(() => committed.length === PARTITIONS);
        expect(new Set(committed)).toEqual(new Set([undefined]));
      });

      test('is asked again on request, and reading goes on from there', async () => {
        await sendToOnePartition(6);
        const seen = collector();
        let position = 0n;
        const consumer = await join({ position: () => Promise.resolve(position), onBatch: seen.onBatch });
        await eventually(() => seen.messages.length === 6);
        position = 4n;
        consumer.reposition();
        await eventually(() => seen.messages.length === 8);
        expect(seen.offsets()).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 4n, 5n]);
      });
    });

    describe('while a position is unknown', () => {
      test('the other partitions go on, and the member stays in its group when another joins', async () => {
        await sendAll(200);
        const [seen, other] = [collector(), collector()];
        const { promise: found, resolve: answer } = Promise.withResolvers<undefined>();
        const position = ({ partition }: PositionQuestion) =>
          partition === 0 ? found : Promise.resolve(undefined);
        const partitions = () => new Set(seen.messages.map(({ partition }) => partition));
        const first = await join({ position, onBatch: seen.onBatch });
        await eventually(() => partitions().size === PARTITIONS - 1);
        expect(partitions()).not.toContain(0);
        const before = seen.messages.length;
        await sendAll(200);
        await eventually(() => seen.messages.length > before);
        await leave(await join({ position, onBatch: other.onBatch }));
        await eventually(() => first.joined());
        answer(undefined);
        await eventually(() => new Set([...seen.messages, ...other.messages].map(keyOf)).size === 400);
      }, 60_000);

      test('an answer that comes after a newer one changes nothing, and its question is dropped', async () => {
        await sendToOnePartition(4);
        const seen = collector();
        const questions: { question: PositionQuestion; answer: (offset: bigint) => void }[] = [];
        const position = (question: PositionQuestion) => {
          const { promise, resolve } = Promise.withResolvers<bigint>();
          questions.push({ question, answer: resolve });
          return promise;
        };
        const consumer = await join({ position, onBatch: seen.onBatch });
        await eventually(() => questions.length === PARTITIONS);
        consumer.reposition();
        await eventually(() => questions.length === 2 * PARTITIONS);
        expect(questions.map(({ question }) => question.signal.aborted)).toEqual([
          ...Array.from({ length: PARTITIONS }, () => true),
          ...Array.from({ length: PARTITIONS }, () => false),
        ]);
        for (const { answer } of questions.slice(PARTITIONS)) answer(1n);
        await eventually(() => seen.messages.length === 3);
        for (const { answer } of questions.slice(0, PARTITIONS)) answer(3n);
        await sendToOnePartition(1);
        await eventually(() => seen.messages.length === 4);
        expect(seen.offsets()).toEqual([1n, 2n, 3n, 4n]);
      });

      test('asked for with a batch in flight, the batch is finished and reading begins where it is told', async () => {
        await sendToOnePartition(5);
        const seen = collector();
        const [begun, gate] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
        let position = 0n;
        const consumer = await join({
          position: () => Promise.resolve(position),
          onBatch: async (batch) => {
            begun.resolve(undefined);
            await gate.promise;
            await seen.onBatch(batch);
          },
        });
        await begun.promise;
        position = 2n;
        consumer.reposition();
        gate.resolve(undefined);
        await eventually(() => seen.offsets().filter((offset) => offset === 4n).length === 2);
        expect(seen.offsets().slice(-3)).toEqual([2n, 3n, 4n]);
      });
    });

    describe('a batch', () => {
      test('that throws comes again, in order, and nothing overtakes it', async () => {
        const seen = collector();
        let failures = 2;
        await join({
          onBatch: (batch) => {
            if (failures > 0) return ((failures -= 1), Promise.reject(new Error('not now')));
            return seen.onBatch(batch);
          },
        });
        await sendToOnePartition(20);
        await eventually(() => seen.messages.length >= 20);
        expect(seen.offsets()).toEqual(Array.from({ length: 20 }, (_, i) => BigInt(i)));
      }, 40_000);

      test('comes after the one before it is done; partitions run side by side', async () => {
        const seen = collector();
        const running = new Map<number, number>();
        let together = 0;
        const gate = Promise.withResolvers<undefined>();
        await sendAll(200);
        await join({
          onBatch: async (batch) => {
            running.set(batch.partition, (running.get(batch.partition) ?? 0) + 1);
            expect(running.get(batch.partition)).toBe(1);
            together = Math.max(
              together,
              [...running.values()].reduce((sum, n) => sum + n, 0),
            );
            if (together === PARTITIONS) gate.resolve(undefined);
            await gate.promise;
            await seen.onBatch(batch);
            running.set(batch.partition, 0);
          },
        });
        await eventually(() => seen.messages.length >= 200);
        expect(together).toBe(PARTITIONS);
      });

      test('in flight is finished when its consumer closes, and does not come again', async () => {
        await sendToOnePartition(5);
        const seen = collector();
        const [begun, gate] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
        let stopping: AbortSignal | undefined;
        const consumer = await join({
          onBatch: async (batch, signal) => {
            stopping = signal;
            begun.resolve(undefined);
            await gate.promise;
            await seen.onBatch(batch);
          },
        });
        await begun.promise;
        let closed = false;
        const closing = leave(consumer).then(() => (closed = true));
        await eventually(() => stopping?.aborted === true);
        expect(closed).toBe(false);
        gate.resolve(undefined);
        await closing;
        const done = seen.messages.length;
        expect(done).toBeGreaterThan(0);
        const rest = collector();
        await sendToOnePartition(1);
        await join({ onBatch: rest.onBatch });
        await eventually(() => done + rest.messages.length >= 6);
        expect([...seen.offsets(), ...rest.offsets()]).toEqual([0n, 1n, 2n, 3n, 4n, 5n]);
      });
    });

    describe('a whole topic', () => {
      const read = (onBatch: (batch: Batch) => Promise<void>) =>
        kafka.readTopic({ topic, patienceMs: WAIT_MS, onBatch });

      test('is read from its beginning to its end, in order within a partition, as often as one likes', async () => {
        await sendAll(500);
        for (let again = 0; again < 2; again += 1) {
          const seen = collector();
          await read(seen.onBatch);
          expect(new Set(seen.messages.map(({ value }) => value)).size).toBe(500);
          expect(seen.messages).toHaveLength(500);
          for (const [, group] of Map.groupBy(seen.messages, ({ partition }) => partition)) {
            expect(group.map(({ offset }) => offset)).toEqual(group.map((_, index) => BigInt(index)));
          }
        }
      });

      test('that is empty is read at once', async () => {
        const seen = collector();
        await read(seen.onBatch);
        expect(seen.messages).toEqual([]);
      });

      test('is read as it was at the start: what is sent meanwhile is not waited for', async () => {
        await sendToOnePartition(3);
        const seen = collector();
        await read(async (batch) => {
          await seen.onBatch(batch);
          await sendToOnePartition(3);
        });
        expect(seen.offsets()).toEqual([0n, 1n, 2n]);
      });

      test('is no longer read when its reader fails, and the failure is told', async () => {
        await sendAll(100);
        await expect(read(() => Promise.reject(new Error('enough')))).rejects.toThrow('enough');
      });

      test('that nobody made is refused', async () => {
        topic = `${topic}.none`;
        await expect(read(() => Promise.resolve())).rejects.toThrow(topic);
      });

      test('that does not come in time is given up', async () => {
        await sendToOnePartition(1);
        const [worked, impatient] = [collector(), { topic, patienceMs: 1 }];
        await expect(kafka.readTopic({ ...impatient, onBatch: worked.onBatch })).rejects.toThrow('1 ms');
        expect(worked.messages).toEqual([]);
      });
    });

    describe('two members', () => {
      test('share the partitions, and what one leaves the other takes over', async () => {
        const [one, two] = [collector(), collector()];
        await join({ onBatch: one.onBatch });
        const second = await join({ onBatch: two.onBatch });
        // A rebalance moves partitions while messages flow: what is sent now may be seen twice, never not at all.
        let sent = 0;
        await eventually(async () => {
          await Promise.all(Array.from({ length: 40 }, (_, i) => send(`key-${i}`, String((sent += 1)))));
          return one.messages.length > 0 && two.messages.length > 0;
        });
        const all = () => new Set([...one.messages, ...two.messages].map(({ value }) => value)).size;
        await eventually(() => all() === sent);
        await leave(second);
        const before = one.messages.length;
        await sendAll(100);
        await eventually(() => new Set(one.messages.slice(before).map(({ value }) => value)).size >= 100);
      }, 60_000);
    });

    async function joinAndRead(seen: ReturnType<typeof collector>, count: number): Promise<Consumer> {
      const consumer = await join({ onBatch: seen.onBatch });
      await eventually(() => seen.messages.length === count);
      return consumer;
    }

    async function sendToOnePartition(count: number): Promise<void> {
      for (let i = 0; i < count; i += 1) await send('one', String(i));
    }
  });
}

function keyOf({ partition, offset }: InboundMessage): string {
  return `${partition}/${offset}`;
}

function collector() {
  const messages: InboundMessage[] = [];
  return {
    messages,
    offsets: () => messages.map(({ offset }) => offset),
    onBatch: (batch: Batch) => {
      messages.push(...batch.messages);
      return Promise.resolve();
    },
  };
}

async function eventually(question: () => boolean | Promise<boolean>): Promise<void> {
  if (!(await until(question, { timeoutMs: WAIT_MS, everyMs: 10 })))
    throw new Error(`not so after ${WAIT_MS} ms: ${question.toString()}`);
}
