import { z } from 'zod';
import {
  type ControlCommand,
  controlCommand,
  type ControlResult,
  controlResult,
} from '../../contracts/control.ts';

/** A record of `turnout.control`: a command, what became of one, or the reason why it is neither. */
export type ControlRecord = ControlCommand | ControlResult | Error;

const headOf = z.looseObject({ version: z.unknown(), kind: z.unknown() });

export function readControl(text: string | undefined): ControlRecord {
  const head = headOf.safeParse(parseJson(text));
  if (!head.success) return new Error('it is no JSON object');
  const { version, kind } = head.data;
  if (typeof version !== 'number' || Math.trunc(version) !== 1)
    return new Error(`it is of version ${JSON.stringify(version)}, and 1 is known`);
  const parsed = (kind === 'result' ? controlResult : controlCommand).safeParse(head.data);
  return parsed.success ? parsed.data : new Error(parsed.error.issues.map(describe).join('; '));
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined; // the schema says what is wrong
  }
}

function describe({ path, message }: z.core.$ZodIssue): string {
  return path.length === 0 ? message : `${path.join('.')}: ${message}`;
}
