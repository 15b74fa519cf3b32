import { describe, expect, test } from '@jest/globals';
import { type Kafka, type PositionQuestion } from '../../shared/platform/kafka/port.ts';
import { collector, eventually, keyOf, PARTITIONS, useKafka } from './kafka-ground.ts';

/** The offset at which a group member starts to read a partition. */
export function describeKafkaPositions(create: () => Kafka): void {
  describe('positions', () => {
    const { topic, sendAll, sendToOnePartition, join, joinAndRead, leave } = useKafka(create);

    describe('a position', () => {
      test('is where reading starts, at every assignment', async () => {
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
        // The group has committed 10 by now; the position takes precedence.
        await join({ position: () => Promise.resolve(4n), onBatch: seen.onBatch });
        await eventually(() => seen.messages.length === 9);
        expect(seen.offsets().slice(3)).toEqual([4n, 5n, 6n, 7n, 8n, 9n]);
      });

      test('that takes time to find delays all delivery, and messages before it are not delivered', async () => {
        await sendToOnePartition(10);
        const seen = collector();
        const { promise: found, resolve: answer } = Promise.withResolvers<bigint>();
        let asked = 0;
        const position = () => ((asked += 1), found);
        await join({ position, onBatch: seen.onBatch });
        await eventually(() => asked === PARTITIONS);
        // Meanwhile another consumer reads the whole topic, which gives this one enough time to fetch.
        const other = collector();
        await join({ groupId: `${topic()}-other`, onBatch: other.onBatch });
        await eventually(() => other.messages.length === 10);
        expect(seen.messages).toEqual([]);
        answer(5n);
        await eventually(() => seen.messages.length >= 5);
        expect(seen.offsets()).toEqual([5n, 6n, 7n, 8n, 9n]);
      });

      test('of undefined means the group’s committed offset', async () => {
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

    describe('the position callback', () => {
      test('can ask for the group’s committed offset, and for the offset at a time', async () => {
        await sendToOnePartition(3);
        const seen = collector();
        await leave(await joinAndRead(seen, 3));
        const [first, , third] = seen.messages;
        if (!first || !third) throw new Error('Expected three messages');
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
              offsets.end(),
            ]);
            answered.push(answers.then((all) => void found.push(...all)));
            await answers;
            return undefined;
          },
        });
        await eventually(() => answered.length > 0);
        await Promise.all(answered);
        expect(found).toEqual([3n, 0n, 0n, 3n, 3n]);
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

      test('is called again on request, and reading continues from the new position', async () => {
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
      test('the other partitions continue, and the member stays in its group when another joins', async () => {
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

      test('an answer that arrives after a newer one has no effect, and its question is aborted', async () => {
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
        // The batch that waited for the dropped answer did not cost the membership; a new membership would ask again.
        expect(questions).toHaveLength(2 * PARTITIONS);
      });

      test('if it is asked for with a batch in flight, the batch finishes and reading continues at the new position', async () => {
        await sendToOnePartition(5);
        const seen = collector();
        const [begun, openJobLimiter] = [
          Promise.withResolvers<undefined>(),
          Promise.withResolvers<undefined>(),
        ];
        let position = 0n;
        const consumer = await join({
          position: () => Promise.resolve(position),
          onBatch: async (batch) => {
            begun.resolve(undefined);
            await openJobLimiter.promise;
            await seen.onBatch(batch);
          },
        });
        await begun.promise;
        position = 2n;
        consumer.reposition();
        openJobLimiter.resolve(undefined);
        await eventually(() => seen.offsets().filter((offset) => offset === 4n).length === 2);
        expect(seen.offsets().slice(-3)).toEqual([2n, 3n, 4n]);
      });
    });
  });
}
