import { jest } from '@jest/globals';
import { createKafka } from '../../shared/kafka/kafkajs.ts';
import { silentLogger } from '../../shared/log/logger.ts';
import { describeKafkaPort } from '../conformance/kafka-port.ts';
import { testEnv } from '../harness/env.ts';

jest.setTimeout(30_000);

describeKafkaPort('kafkajs', () =>
  createKafka({ brokers: testEnv().KAFKA_BROKERS.split(','), clientId: 'conformance', log: silentLogger }),
);
