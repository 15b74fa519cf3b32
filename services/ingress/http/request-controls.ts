import { type IncomingHttpHeaders } from 'node:http';
import { MAX_DEADLINE_MS } from '../../../shared/platform/config/check-together.ts';
import { type CacheControl, readCacheControl } from './cache-control.ts';
import { lower, priorities, type Priority, priority } from '../../../shared/contracts/priority.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';

/** Settings for Turnout itself, which the caller sends as headers. */
export interface RequestControls {
  /** Milliseconds from now. */
  deadlineMs: number;
  idempotencyKey: string | undefined;
  /** The name of an assistant, `auto` or `none`. */
  assistant: string | undefined;
  cacheControl: CacheControl;
  /** The priority of the job. A caller can lower it but not raise it above the default of the request's kind. */
  priority: Priority;
  /** This request is a client's retry; SDKs set `x-stainless-retry-count`. */
  returning: boolean;
}

const PRIORITY_HEADER = 'x-turnout-priority';
export const ASSISTANT_HEADER = 'x-turnout-assistant';

/** A background job gets the maximum deadline unless its caller sets one. */
export function backgroundControls(headers: IncomingHttpHeaders): RequestControls {
  return {
    deadlineMs: ownDeadlineMs(headers['x-turnout-deadline-ms']) ?? MAX_DEADLINE_MS,
    ...commonControls(headers, 'background'),
  };
}

/**
 * The deadline is `x-turnout-deadline-ms`, else the timeout of the SDK (`x-stainless-timeout` or `x-stainless-read-timeout`, in
 * seconds), else the default. Throws `invalid_value` with the header as `param`. Invalid SDK headers are ignored.
 */
export function requestControls(headers: IncomingHttpHeaders, defaultDeadlineMs: number): RequestControls {
  const own = ownDeadlineMs(headers['x-turnout-deadline-ms']);
  const sdk =
    sdkTimeoutMs(headers['x-stainless-timeout']) ?? sdkTimeoutMs(headers['x-stainless-read-timeout']);
  return {
    deadlineMs: own ?? sdk ?? defaultDeadlineMs,
    ...commonControls(headers, 'interactive'),
  };
}

function commonControls(headers: IncomingHttpHeaders, usual: Priority): Omit<RequestControls, 'deadlineMs'> {
  return {
    idempotencyKey: idempotencyKey(headers['idempotency-key']),
    assistant: assistant(headers[ASSISTANT_HEADER]),
    cacheControl: readCacheControl(headers['cache-control']),
    returning: Number(headers['x-stainless-retry-count'] ?? 0) > 0,
    priority: lower(usual, askedPriority(headers[PRIORITY_HEADER]) ?? usual),
  };
}

type Header = string | string[] | undefined;

function ownDeadlineMs(header: Header): number | undefined {
  if (header === undefined) return undefined;
  const ms = Number(header);
  if (Number.isSafeInteger(ms) && ms > 0 && ms <= MAX_DEADLINE_MS) return ms;
  throw new TurnoutError('invalid_value', {
    message: `x-turnout-deadline-ms must be a whole number of milliseconds from 1 to ${MAX_DEADLINE_MS}.`,
    param: 'x-turnout-deadline-ms',
  });
}

function sdkTimeoutMs(header: Header): number | undefined {
  const seconds = Number(header ?? Number.NaN);
  return Number.isFinite(seconds) && seconds > 0
    ? Math.min(Math.ceil(seconds * 1_000), MAX_DEADLINE_MS)
    : undefined;
}

function idempotencyKey(header: Header): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && header.length >= 1 && header.length <= 255) return header;
  throw new TurnoutError('invalid_value', {
    message: 'Idempotency-Key must have 1 to 255 characters.',
    param: 'Idempotency-Key',
  });
}

function askedPriority(header: Header): Priority | undefined {
  if (header === undefined) return undefined;
  const asked = priority.safeParse(header);
  if (asked.success) return asked.data;
  throw new TurnoutError('invalid_value', {
    message: `${PRIORITY_HEADER} must be one of ${priorities.join(', ')}.`,
    param: PRIORITY_HEADER,
  });
}

function assistant(header: Header): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && /^[a-z0-9][a-z0-9-]{0,63}$/.test(header)) return header;
  throw new TurnoutError('invalid_value', {
    message: `${ASSISTANT_HEADER} must be the name of an assistant, 'auto' or 'none'.`,
    param: ASSISTANT_HEADER,
  });
}
