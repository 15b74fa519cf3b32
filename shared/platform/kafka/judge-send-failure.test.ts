import { expect, test } from '@jest/globals';
import { KafkaJSNonRetriableError, KafkaJSNumberOfRetriesExceeded, KafkaJSProtocolError } from 'kafkajs';
import { judgeSendFailure } from './judge-send-failure.ts';

const answer = (type: string, retriable: boolean) =>
  new KafkaJSProtocolError(Object.assign(new Error(type), { type, retriable, code: 0 }));

test.each([
  ['too_large', answer('MESSAGE_TOO_LARGE', false)],
  [
    'too_large',
    Object.assign(new KafkaJSNonRetriableError('x'), { cause: answer('RECORD_LIST_TOO_LARGE', false) }),
  ],
  ['rejected', answer('TOPIC_AUTHORIZATION_FAILED', false)],
  ['rejected', new TypeError('a header is not text')],
  ['away', answer('OUT_OF_ORDER_SEQUENCE_NUMBER', false)],
  ['away', new Error('The producer is disconnected')],
  ['away', 'not an Error object'],
])('%s: %s', (verdict, error) => {
  expect(judgeSendFailure(error)).toBe(verdict);
});

test('an unreachable broker is judged as away even after kafkajs has used up its retries', () => {
  const error = new KafkaJSNumberOfRetriesExceeded(answer('NOT_LEADER_FOR_PARTITION', true), {
    retryCount: 5,
    retryTime: 100,
  });
  expect(judgeSendFailure(error)).toBe('away');
});
