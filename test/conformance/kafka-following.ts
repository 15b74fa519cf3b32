import { describe, expect, test } from '@jest/globals';
import { type InboundMessage, type Kafka, type TopicFollower } from '../../shared/platform/kafka/port.ts';
import { eventually, useKafka } from './kafka-ground.ts';

/** A topic that is followed from its beginning. */
export function describeKafkaFollowing(create: () => Kafka): void {
  describe('a topic that is followed', () => {
    const { kafka, topic, producer } = useKafka(create);
    const own = () => `${topic()}.one`;
    const send = (value: string) => producer().send({ topic: own(), key: 'k', value, headers: {} });

    async function follow(
      onMessage: (message: InboundMessage) => Promise<void> | void,
    ): Promise<TopicFollower> {
      return kafka().followTopic({
        topic: own(),
        onMessage: async (message) => {
          await onMessage(message);
        },
      });
    }

    test('is caught up with at once where it is new and empty, and what comes later comes', async () => {
      await kafka().ensureTopics([{ topic: own(), partitions: 1 }]);
      const seen: (string | undefined)[] = [];
      const follower = await follow(({ value }) => void seen.push(value));
      await follower.caughtUp;
      expect(seen).toEqual([]);
      await send('later');
      await eventually(() => seen.length === 1);
      expect(seen).toEqual(['later']);
      await follower.close();
    });

    test('is handed over from its beginning before it is caught up, to each follower', async () => {
      await kafka().ensureTopics([{ topic: own(), partitions: 1 }]);
      for (let i = 0; i < 50; i += 1) await send(String(i));
      for (let again = 0; again < 2; again += 1) {
        const offsets: bigint[] = [];
        const follower = await follow(({ offset }) => void offsets.push(offset));
        await follower.caughtUp;
        expect(offsets).toEqual(Array.from({ length: 50 }, (_, i) => BigInt(i)));
        await follower.close();
      }
    });

    test('gives a message again while its work fails; the others come once, in order', async () => {
      await kafka().ensureTopics([{ topic: own(), partitions: 1 }]);
      for (let i = 0; i < 5; i += 1) await send(String(i));
      const done: string[] = [];
      let failures = 2;
      const follower = await follow(({ value = '' }) => {
        if (value === '2' && failures > 0) {
          failures -= 1;
          throw new Error('not now');
        }
        done.push(value);
      });
      await follower.caughtUp;
      expect(done).toEqual(['0', '1', '2', '3', '4']);
      await follower.close();
    });
  });
}
