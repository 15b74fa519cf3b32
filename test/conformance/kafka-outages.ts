import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { type Kafka, type KafkaProducer } from '../../shared/platform/kafka/port.ts';
import { startTcpProxy, type TcpProxy } from '../faults/suite/tcp-proxy.ts';
import { collector, eventually, useKafka, WAIT_MS } from './kafka-ground.ts';

/** What a producer does and reports while Kafka is down. `createBehind`: the port with all its connections through a proxy's port. */
export function describeKafkaOutages(
  create: () => Kafka,
  createBehind: (port: number) => { kafka: Kafka; brokerPort: number },
): void {
  describe('a producer', () => {
    const { topic, join } = useKafka(create);
    let proxy: TcpProxy;
    let producer: KafkaProducer;

    beforeAll(async () => {
      proxy = await startTcpProxy();
      const { kafka, brokerPort } = createBehind(proxy.port);
      proxy.aimAt(brokerPort);
      producer = await kafka.producer();
    }, WAIT_MS);
    beforeEach(() => eventually(() => producer.connected()));
    afterAll(async () => {
      await producer.close();
      await proxy.close();
    });

    const send = (value: string, options?: Parameters<KafkaProducer['send']>[1]) =>
      producer.send({ topic: topic(), key: 'one', value, headers: {} }, options);
    const patient = () => ({ deadlineAt: Date.now() + WAIT_MS });
    const kindOf = (sending: Promise<void>) =>
      sending.then(
        () => 'acknowledged',
        (error: unknown) => (error as { kind: string }).kind,
      );

    test('accepts many large messages at once: none fails because of the size of the others', async () => {
      const seen = collector();
      const values = Array.from({ length: 30 }, () => randomBytes(110_000).toString('hex'));
      await Promise.all([...values, 'small'].map((value) => send(value)));
      await join({ onBatch: seen.onBatch });
      await eventually(() => seen.messages.length >= 31);
      expect(seen.messages.map(({ value }) => value?.length)).toEqual([...values.map(() => 220_000), 5]);
      expect(producer.connected()).toBe(true);
    }, 60_000);

    test('refuses only a message that exceeds the topic’s limit, and stays ready', async () => {
      const sent = ['a', 'x'.repeat(1_200_000), 'b'].map((value) => kindOf(send(value)));
      expect(await Promise.all(sent)).toEqual(['acknowledged', 'too_large', 'acknowledged']);
      expect(producer.connected()).toBe(true);
    });

    test('notices without traffic that Kafka is down, and that it is back', async () => {
      await send('before');
      await proxy.refuse();
      await eventually(() => !producer.connected());
      await proxy.accept();
      await eventually(() => producer.connected());
      await send('after');
    }, 60_000);

    test('notices without traffic that Kafka is frozen, and that it resumes', async () => {
      await send('before');
      proxy.freeze();
      await eventually(() => !producer.connected());
      proxy.thaw();
      await eventually(() => producer.connected());
      await send('after');
    }, 60_000);

    test('becomes ready again without traffic after a send that failed while Kafka was down', async () => {
      await proxy.refuse();
      const failed = kindOf(send('lost', { deadlineAt: Date.now() + 500 }));
      expect(['not_sent', 'unknown']).toContain(await failed);
      await eventually(() => !producer.connected());
      await proxy.accept();
      await eventually(() => producer.connected());
    }, 60_000);

    test('sends the messages whose callers still wait when Kafka comes back, and none that were given up', async () => {
      const seen = collector();
      proxy.freeze();
      const first = kindOf(send('0', patient()));
      await new Promise((resolve) => setImmediate(resolve)); // now it is in flight
      const waiting = ['1', '2'].map((value) => kindOf(send(value, patient())));
      const giving = new AbortController();
      const given = kindOf(send('given up', { ...patient(), signal: giving.signal }));
      giving.abort();
      expect(await given).toBe('not_sent');
      await eventually(() => !producer.connected());
      proxy.thaw();
      expect(await Promise.all([first, ...waiting])).toEqual([
        'acknowledged',
        'acknowledged',
        'acknowledged',
      ]);
      await join({ onBatch: seen.onBatch });
      await send('last');
      await eventually(() => seen.messages.at(-1)?.value === 'last');
      expect([...new Set(seen.messages.map(({ value }) => value))]).toEqual(['0', '1', '2', 'last']);
    }, 60_000);
  });
}
