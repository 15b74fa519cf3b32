import { describe, expect, test } from '@jest/globals';
import { type Batch, type Kafka } from '../../shared/platform/kafka/port.ts';
import { collector, eventually, PARTITIONS, useKafka, WAIT_MS } from './kafka-ground.ts';
import { describeKafkaFollowing } from './kafka-following.ts';
import { describeKafkaOutages } from './kafka-outages.ts';
import { describeKafkaPositions } from './kafka-positions.ts';

/** The behaviour of Kafka that Turnout relies on. Every adapter of the port must pass, against a real broker. */
export function describeKafkaPort(
  name: string,
  create: () => Kafka,
  createBehind: (port: number) => { kafka: Kafka; brokerPort: number },
): void {
  describe(`the Kafka port on ${name}`, () => {
    const { kafka, topic, producer, send, sendAll, sendToOnePartition, join, leave } = useKafka(create);

    describe('topics', () => {
      test('are created once, however many callers ask for them', async () => {
        const specs = [
          { topic: `${topic()}.a`, partitions: 2 },
          { topic: `${topic()}.b`, partitions: 1 },
        ];
        await Promise.all([
          kafka().ensureTopics(specs),
          kafka().ensureTopics(specs),
          kafka().ensureTopics(specs),
        ]);
        await kafka().ensureTopics(specs);
        await producer().send({ topic: `${topic()}.b`, key: 'k', value: 'v', headers: {} });
      });
    });

    describe('a sent message', () => {
      test('arrives unchanged: key, value, headers, an increasing offset, a timestamp', async () => {
        const seen = collector();
        const startedAt = Date.now();
        await producer().send({
          topic: topic(),
          key: 'Jürgen',
          value: '{"ä":"€ 😀"}',
          headers: { ce_id: 'x', leer: '' },
        });
        await producer().send({ topic: topic(), key: 'Jürgen', value: '', headers: {} });
        await join({ onBatch: seen.onBatch });
        await eventually(() => seen.messages.length === 2);
        const [first, second] = seen.messages;
        expect(first).toMatchObject({
          topic: topic(),
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

      test('is neither lost nor doubled, and stays in order within its key: 5,000 on a new topic', async () => {
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

      test('to a topic that does not exist is refused, and the producer keeps working', async () => {
        const other = await kafka().producer();
        await expect(
          other.send({ topic: `${topic()}.none`, key: 'k', value: 'v', headers: {} }),
        ).rejects.toThrow();
        await other.send({ topic: topic(), key: 'k', value: 'v', headers: {} });
        expect(other.connected()).toBe(true);
        await other.close();
      }, 30_000);
    });

    describe('a batch', () => {
      test('that throws is delivered again, in order, and no later batch overtakes it', async () => {
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

      test('is delivered after the previous batch of its partition is done; partitions run in parallel', async () => {
        const seen = collector();
        const running = new Map<number, number>();
        let together = 0;
        const openJobLimiter = Promise.withResolvers<undefined>();
        await sendAll(200);
        await join({
          onBatch: async (batch) => {
            running.set(batch.partition, (running.get(batch.partition) ?? 0) + 1);
            expect(running.get(batch.partition)).toBe(1);
            together = Math.max(
              together,
              [...running.values()].reduce((sum, n) => sum + n, 0),
            );
            if (together === PARTITIONS) openJobLimiter.resolve(undefined);
            await openJobLimiter.promise;
            await seen.onBatch(batch);
            running.set(batch.partition, 0);
          },
        });
        await eventually(() => seen.messages.length >= 200);
        expect(together).toBe(PARTITIONS);
      });

      test('in flight is finished when its consumer closes, and is not delivered again', async () => {
        await sendToOnePartition(5);
        const seen = collector();
        const [begun, openJobLimiter] = [
          Promise.withResolvers<undefined>(),
          Promise.withResolvers<undefined>(),
        ];
        let stopping: AbortSignal | undefined;
        const consumer = await join({
          onBatch: async (batch, signal) => {
            stopping = signal;
            begun.resolve(undefined);
            await openJobLimiter.promise;
            await seen.onBatch(batch);
          },
        });
        await begun.promise;
        let closed = false;
        const closing = leave(consumer).then(() => (closed = true));
        await eventually(() => stopping?.aborted === true);
        expect(closed).toBe(false);
        openJobLimiter.resolve(undefined);
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

    describe('reading a whole topic', () => {
      const read = (onBatch: (batch: Batch) => Promise<void>) =>
        kafka().readTopic({ topic: topic(), timeoutMs: WAIT_MS, onBatch });

      test('delivers it from beginning to end, in order within a partition, any number of times', async () => {
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

      test('ends at once if the topic is empty', async () => {
        const seen = collector();
        await read(seen.onBatch);
        expect(seen.messages).toEqual([]);
      });

      test('covers the messages at the start, without waiting for later ones', async () => {
        await sendToOnePartition(3);
        const seen = collector();
        await read(async (batch) => {
          await seen.onBatch(batch);
          await sendToOnePartition(3);
        });
        expect(seen.offsets()).toEqual([0n, 1n, 2n]);
      });

      test('stops when the handler fails, and rejects with its error', async () => {
        await sendAll(100);
        await expect(read(() => Promise.reject(new Error('enough')))).rejects.toThrow('enough');
      });

      test('is refused if the topic does not exist', async () => {
        const nowhere = { topic: `${topic()}.none`, timeoutMs: WAIT_MS, onBatch: () => Promise.resolve() };
        await expect(kafka().readTopic(nowhere)).rejects.toThrow(nowhere.topic);
      });

      test('rejects if it does not finish in time', async () => {
        await sendToOnePartition(1);
        const [worked, impatient] = [collector(), { topic: topic(), timeoutMs: 1 }];
        await expect(kafka().readTopic({ ...impatient, onBatch: worked.onBatch })).rejects.toThrow('1 ms');
        expect(worked.messages).toEqual([]);
      });
    });

    describe('two members of a group', () => {
      test('share the partitions, and one takes over those that the other leaves', async () => {
        const [one, two] = [collector(), collector()];
        await join({ onBatch: one.onBatch });
        const second = await join({ onBatch: two.onBatch });
        // A rebalance moves partitions while messages flow: messages sent now may arrive twice, but none is lost.
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

    describeKafkaFollowing(create);
    describeKafkaPositions(create);
    describeKafkaOutages(create, createBehind);
  });
}
