import { jest } from '@jest/globals';
import { connect } from 'node:net';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { describeKafkaPort } from '../conformance/kafka-port.ts';
import { testEnv } from '../harness/env.ts';

jest.setTimeout(30_000);

const brokers = () => testEnv().KAFKA_BROKERS.split(',');
const common = { clientId: 'conformance', log: silentLogger };

describeKafkaPort(
  'kafkajs',
  () => createKafka({ ...common, brokers: brokers() }),
  (port) => ({
    kafka: createKafka({
      ...common,
      brokers: brokers(),
      socketFactory: ({ onConnect }) => connect({ host: '127.0.0.1', port }, onConnect),
    }),
    brokerPort: Number(brokers()[0]?.split(':').at(-1)),
  }),
);
