import { parse } from 'secure-json-parse';
import { type z } from 'zod';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { validate } from '../http/validation.ts';
import { countValues } from '../http/json-bounds.ts';

/**
 * Parses a JSON body and validates it by the schema. Throws `invalid_json`, or `invalid_value` and related errors with the path
 * of the parameter. A body far outside the limits is rejected before it is parsed.
 */
export function readBody(bytes: Buffer, schema: z.ZodType): unknown {
  countValues(bytes);
  return validate(schema, parseJson(bytes));
}

/** Rejects members named `__proto__` and prototype pollution through `constructor`, like Fastify's own parser. */
export function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) throw new TurnoutError('invalid_json', { message: 'The request body is empty.' });
  try {
    return parse(bytes.toString('utf8'), { protoAction: 'error', constructorAction: 'error' }) as unknown;
  } catch (cause) {
    throw new TurnoutError('invalid_json', { cause });
  }
}
