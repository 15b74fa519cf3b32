import { parse } from 'secure-json-parse';
import { type z } from 'zod';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { validate } from '../http/validation.ts';
import { countValues } from '../http/json-bounds.ts';

/**
 * The value of a JSON body that fits the schema. Throws `invalid_json`, and `invalid_value` or its like with the parameter's
 * path; a body that is out of all bounds is refused before it is parsed.
 */
export function readBody(bytes: Buffer, schema: z.ZodType): unknown {
  countValues(bytes);
  return validate(schema, parseJson(bytes));
}

/** A member named `__proto__` is refused, as Fastify's own parser does it. */
export function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) throw new TurnoutError('invalid_json', { message: 'The request body is empty.' });
  try {
    return parse(bytes.toString('utf8'), { protoAction: 'error', constructorAction: 'error' }) as unknown;
  } catch (cause) {
    throw new TurnoutError('invalid_json', { cause });
  }
}
