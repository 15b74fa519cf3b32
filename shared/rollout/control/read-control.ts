import { z } from 'zod';
import {
  type ControlCommand,
  controlCommand,
  type ControlResult,
  controlResult,
} from '../../contracts/control.ts';

/** A record of `turnout.control`: a command, the result of one, or an error if it is neither. */
export type ControlRecord = ControlCommand | ControlResult | Error;

const headOf = z.looseObject({ version: z.unknown(), kind: z.unknown() });

export function readControl(text: string | undefined): ControlRecord {
  const head = headOf.safeParse(parseJson(text));
  if (!head.success) return new Error('the record is not a JSON object');
  const { version, kind } = head.data;
  if (typeof version !== 'number' || Math.trunc(version) !== 1)
    return new Error(`the record has version ${JSON.stringify(version)}, but only version 1 is supported`);
  const parsed = (kind === 'result' ? controlResult : controlCommand).safeParse(head.data);
  return parsed.success ? parsed.data : new Error(parsed.error.issues.map(describe).join('; '));
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined; // the schema reports the problem
  }
}

function describe({ path, message }: z.core.$ZodIssue): string {
  return path.length === 0 ? message : `${path.join('.')}: ${message}`;
}
