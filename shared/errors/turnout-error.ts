import { type ErrorCode, errorSpec } from './catalogue.ts';

interface TurnoutErrorOptions {
  /** Replaces the catalogue's message. Must be safe for clients. */
  message?: string | undefined;
  /** The request parameter that is at fault, as a path: `messages[0].content`. */
  param?: string | undefined;
  /** Seconds after which a retry makes sense. */
  retryAfterS?: number | undefined;
  cause?: unknown;
}

/** The one error that this system throws on purpose. `message` is safe for clients; what is not safe lies in `cause`. */
export class TurnoutError extends Error {
  override readonly name = 'TurnoutError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly type: string;
  readonly retryable: boolean;
  readonly param: string | undefined;
  readonly retryAfterS: number | undefined;

  constructor(code: ErrorCode, options: TurnoutErrorOptions = {}) {
    const spec = errorSpec(code);
    super(options.message ?? spec.message, { cause: options.cause });
    this.code = code;
    this.status = spec.status;
    this.type = spec.type;
    this.retryable = spec.retryable;
    this.param = options.param;
    this.retryAfterS = options.retryAfterS;
  }

  /** Anything thrown becomes a `TurnoutError`; what was not one already is an `internal_error` with it as the cause. */
  static from(error: unknown): TurnoutError {
    return error instanceof TurnoutError ? error : new TurnoutError('internal_error', { cause: error });
  }
}
