import { type ErrorCode, errorSpec, isKnownCode } from './catalogue.ts';

interface TurnoutErrorOptions {
  /** Replaces the catalogue's message. Must be safe for clients. */
  message?: string | undefined;
  /** The request parameter at fault, as a path: `messages[0].content`. */
  param?: string | undefined;
  /** Delay before a retry makes sense, in seconds. */
  retryAfterS?: number | undefined;
  cause?: unknown;
  /** Properties of the code as stored by the process that wrote the error. Used if this release does not know the code. */
  written?: WrittenSpec | undefined;
}

/** Properties stored with a code, for readers of an earlier release. */
export interface WrittenSpec {
  status?: number | undefined;
  type?: string | undefined;
  retryable?: boolean | undefined;
}

/** The only error class for expected failures. `message` is safe for clients; internal details belong in `cause`. */
export class TurnoutError extends Error {
  override readonly name = 'TurnoutError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly type: string;
  readonly retryable: boolean;
  readonly param: string | undefined;
  readonly retryAfterS: number | undefined;

  constructor(code: ErrorCode, options: TurnoutErrorOptions = {}) {
    const known = errorSpec(code);
    const { written = {} } = options;
    const spec = isKnownCode(code) ? known : { ...known, ...written };
    super(options.message ?? spec.message, { cause: options.cause });
    this.code = code;
    this.status = spec.status ?? known.status;
    this.type = spec.type ?? known.type;
    this.retryable = spec.retryable ?? known.retryable;
    this.param = options.param;
    this.retryAfterS = options.retryAfterS;
  }

  /** Converts any thrown value. Anything but a `TurnoutError` becomes the cause of an `internal_error`. */
  static from(error: unknown): TurnoutError {
    return error instanceof TurnoutError ? error : new TurnoutError('internal_error', { cause: error });
  }
}
