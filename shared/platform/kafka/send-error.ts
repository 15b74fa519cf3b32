/**
 * - `too_large`: the message exceeds the topic's limit. Kafka does not have it and never will.
 * - `rejected`: Kafka refused the message for another reason that a retry does not fix. Kafka does not have it.
 * - `not_sent`: the caller aborted, or the deadline passed, while the message waited in this process. It was never sent and never
 *   will be.
 * - `unknown`: the message was sent, and it is unknown whether Kafka has it or will have it.
 */
export type SendFailure = 'too_large' | 'rejected' | 'not_sent' | 'unknown';

/** Why a message was not acknowledged, and whether Kafka may have it. */
export class SendError extends Error {
  override readonly name = 'SendError';
  readonly kind: SendFailure;

  constructor(kind: SendFailure, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}
