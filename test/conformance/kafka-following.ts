import { describe, expect, test } from '@jest/globals';
import { type InboundMessage, type Kafka, type TopicFollower } from '../../shared/platform/kafka/port.ts';
import { eventually, useKafka } from './kafka-ground.ts';

/** Following a topic from its beginning. */
export function describeKafkaFollowing(create: () => Kafka): void {
  describe('following a topic', () => {
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

    test('catches up at once with a new and empty topic, and receives later messages', async () => {
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

    test('delivers the topic from its beginning before it has caught up, to each follower', async () => {
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

    test('repeats a message while its handler fails; the others arrive once, in order', async () => {
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
