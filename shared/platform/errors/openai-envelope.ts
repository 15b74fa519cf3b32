import { type ErrorCode } from './catalogue.ts';
import { type TurnoutError } from './turnout-error.ts';

/** OpenAI's error body. */
export interface ErrorEnvelope {
  error: { message: string; type: string; param: string | null; code: ErrorCode };
}

export function toEnvelope(error: TurnoutError): ErrorEnvelope {
  return {
    error: { message: error.message, type: error.type, param: error.param ?? null, code: error.code },
  };
}
