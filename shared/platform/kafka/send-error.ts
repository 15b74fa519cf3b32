/**
 * - `too_large`: larger than the topic takes. Kafka does not have the message, and never will.
 * - `rejected`: Kafka refuses the message for another reason that a repetition does not change. Kafka does not have it.
 * - `not_sent`: its caller gave it up, or its deadline passed, while it waited here. It was never sent and never will be.
 * - `unknown`: it was sent, and nobody knows whether Kafka has it or will have it.
 */
export type SendFailure = 'too_large' | 'rejected' | 'not_sent' | 'unknown';

/** Why a message was not acknowledged, and what is known of it. */
export class SendError extends Error {
  override readonly name = 'SendError';
  readonly kind: SendFailure;

  constructor(kind: SendFailure, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}
