import { type InjectOptions, type LightMyRequestResponse as Response } from 'fastify';
import pLimit from 'p-limit';
import { z } from 'zod';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { EventError, parseEvent } from './event-error.ts';
import { withoutConnection } from './http-events.ts';

/**
 * What a queue or an event bus carries: a `POST /v1/responses`. Its job runs in the background: the answer is fetched by its id, or comes
 * by webhook. The headers carry the API key of who asks, as everywhere: who may write to the queue is no user by that.
 */
const jobOrder = z.strictObject({
  headers: z.record(z.string(), z.string()),
  body: z.looseObject({
    background: z.literal(true, 'a queued job runs in the background').optional(),
    stream: z.literal(false, 'nobody reads the stream of a queued job').nullish(),
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

/** Those that are named here are delivered again, and go to the queue's dead letters in the end. */
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

/** A batch has up to 10,000 messages. */
const MOST_AT_ONCE = 64;

/**
 * delivered -> accepted | failed (delivered again). The message's id is the job's idempotency key where it has none of its own: one
 * that is delivered twice is one job.
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
    if (answer.statusCode >= 300) throw new EventError(`Not accepted (${answer.statusCode}): ${answer.body}`);
  }

  async function succeeds(id: string, value: () => unknown): Promise<boolean> {
    try {
      await submit(id, value());
      return true;
    } catch (error) {
      log.warn(
        { err: error, messageId: id },
        'A queued job was not accepted; its message stays in the queue',
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

/** What must stay in order: the messages of one group of a FIFO queue. Those of any other are on their own, also where they have groups. */
function lanesOf(records: readonly SqsRecord[]): SqsRecord[][] {
  const lanes = Map.groupBy(
    records,
    ({ messageId, eventSourceARN, attributes: { MessageGroupId: group } }) =>
      eventSourceARN.endsWith('.fifo') ? `group ${group ?? ''}` : `message ${messageId}`,
  );
  return [...lanes.values()];
}

/** The first that fails and all after it: none may overtake it. */
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
