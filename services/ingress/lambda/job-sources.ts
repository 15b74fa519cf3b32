import { type InjectOptions, type LightMyRequestResponse as Response } from 'fastify';
import pLimit from 'p-limit';
import { z } from 'zod';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { EventError, parseEvent } from './event-error.ts';
import { withoutConnection } from './http-events.ts';

/**
 * The content of a queue message or bus event: a `POST /v1/responses`. Its job runs in the background; the client fetches the
 * answer by its id or receives a webhook. The headers carry the caller's API key as usual: write access to the queue does not
 * authenticate anyone.
 */
const jobOrder = z.strictObject({
  headers: z.record(z.string(), z.string()),
  body: z.looseObject({
    background: z
      .literal(true, 'must be true or unset, because a queued job runs in the background')
      .optional(),
    stream: z.literal(false, 'must be false or unset, because a queued job cannot be streamed').nullish(),
  }),
});

const sqsEvent = z.looseObject({
  Records: z.array(
    z.looseObject({
      messageId: z.string().min(1),
      body: z.string(),
      eventSource: z.literal('aws:sqs'),
      eventSourceARN: z.string(),
      attributes: z.looseObject({ MessageGroupId: z.string().optional() }),
    }),
  ),
});
type SqsRecord = z.infer<typeof sqsEvent>['Records'][number];

const busEvent = z.looseObject({ id: z.string().min(1), 'detail-type': z.string(), detail: z.unknown() });

/** The messages listed here are delivered again, and finally move to the queue's dead-letter queue. */
export interface BatchAnswer {
  batchItemFailures: { itemIdentifier: string }[];
}

export interface JobSources {
  sqs(event: unknown): Promise<BatchAnswer>;
  eventBridge(event: unknown): Promise<void>;
}

interface JobSourcesOptions {
  inject: (request: InjectOptions) => Promise<Response>;
  log: Logger;
}

/** How many messages are submitted at the same time. A batch has up to 10,000. */
const MOST_AT_ONCE = 64;

/**
 * delivered -> accepted | failed (delivered again). A message without its own idempotency key uses its message id as the key, so
 * a message that is delivered twice creates one job.
 */
export function createJobSources({ inject, log }: JobSourcesOptions): JobSources {
  async function submit(id: string, value: unknown): Promise<void> {
    const { headers, body } = parseEvent(jobOrder, value, 'a job');
    const answer = await inject({
      method: 'POST',
      url: '/v1/responses',
      headers: { 'idempotency-key': id, ...withoutConnection(lowerCased(headers)) },
      payload: { ...body, background: true },
    });
    if (answer.statusCode >= 300)
      throw new EventError(`Job not accepted (status ${answer.statusCode}): ${answer.body}`);
  }

  async function succeeds(id: string, value: () => unknown): Promise<boolean> {
    try {
      await submit(id, value());
      return true;
    } catch (error) {
      log.warn(
        { err: error, messageId: id },
        'Could not accept a queued job; its message stays in the queue',
      );
      return false;
    }
  }

  return {
    sqs: async (event) => {
      const { Records } = parseEvent(sqsEvent, event, 'a batch of SQS messages');
      const limit = pLimit(MOST_AT_ONCE);
      const failed = await Promise.all(
        lanesOf(Records).map((lane) =>
          limit(() => failuresOf(lane, ({ messageId, body }) => succeeds(messageId, () => parseJson(body)))),
        ),
      );
      return { batchItemFailures: failed.flat().map(({ messageId }) => ({ itemIdentifier: messageId })) };
    },
    eventBridge: async (event) => {
      const { id, detail } = parseEvent(busEvent, event, 'an event of an event bus');
      await submit(id, detail);
    },
  };
}

/**
 * Groups the messages that must stay in order: those of one message group of a FIFO queue. In a standard queue each message
 * stands alone, even if it has a group.
 */
function lanesOf(records: readonly SqsRecord[]): SqsRecord[][] {
  const lanes = Map.groupBy(
    records,
    ({ messageId, eventSourceARN, attributes: { MessageGroupId: group } }) =>
      eventSourceARN.endsWith('.fifo') ? `group ${group ?? ''}` : `message ${messageId}`,
  );
  return [...lanes.values()];
}

/** Returns the first message that fails and all after it, because no message may overtake another of its group. */
async function failuresOf(
  lane: readonly SqsRecord[],
  succeeds: (record: SqsRecord) => Promise<boolean>,
): Promise<SqsRecord[]> {
  for (const [index, record] of lane.entries()) {
    if (!(await succeeds(record))) return lane.slice(index);
  }
  return [];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new EventError('Not a job: the message is not JSON', { cause: error });
  }
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
