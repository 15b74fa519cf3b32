import { DEAD_LETTER_TYPE } from '../contracts/job-message.ts';
import { toHeaders } from '../contracts/cloud-event.ts';
import { type InboundMessage, type Producer } from './port.ts';

/** Where an unreadable message came from makes its dead letter's id, so that a redelivery writes the same one. */
export interface DeadLetters {
  /** Resolves when the dead letter is acknowledged: only then may the message be passed over. */
  bury(message: InboundMessage, reason: string): Promise<void>;
}

export function createDeadLetters(producer: Producer, topic: string, source: string): DeadLetters {
  return {
    bury: (message, reason) => {
      const origin = `${message.topic}/${message.partition}/${message.offset}`;
      return producer.send({
        topic,
        key: message.key ?? origin,
        value: message.value ?? '',
        headers: {
          ...message.headers,
          ...toHeaders({ id: origin, type: DEAD_LETTER_TYPE, source }),
          'x-turnout-reason': reason,
          'x-turnout-origin': origin,
          'x-turnout-original-id': message.headers['ce_id'] ?? '',
        },
      });
    },
  };
}
