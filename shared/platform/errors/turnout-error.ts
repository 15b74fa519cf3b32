import { type ErrorCode, errorSpec, isKnownCode } from './catalogue.ts';

interface TurnoutErrorOptions {
  /** Replaces the catalogue's message. Must be safe for clients. */
  message?: string | undefined;
  /** The request parameter that is at fault, as a path: `messages[0].content`. */
  param?: string | undefined;
  /** Seconds after which a retry makes sense. */
  retryAfterS?: number | undefined;
  cause?: unknown;
  /** What the process that wrote the error knew of its code. It counts where this version does not know the code. */
  written?: WrittenSpec | undefined;
}

/** What travels with a code, for readers of an earlier version. */
export interface WrittenSpec {
  status?: number | undefined;
  type?: string | undefined;
  retryable?: boolean | undefined;
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

  /** Anything thrown becomes a `TurnoutError`; what was not one already is an `internal_error` with it as the cause. */
  static from(error: unknown): TurnoutError {
    return error instanceof TurnoutError ? error : new TurnoutError('internal_error', { cause: error });
  }
}
