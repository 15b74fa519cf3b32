import { z } from 'zod';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type FilePurpose, filePurpose } from '../../../shared/content/files/stored-file.ts';
import { invalidValue } from '../http/validation.ts';

/** The form fields of an upload besides the file. */
export interface UploadFields {
  purpose: FilePurpose;
  /** Milliseconds from the file's creation. Undefined: the file stays until it is deleted. */
  expiresAfterMs: number | undefined;
}

const HOUR_S = 3_600;
const MONTH_S = 30 * 24 * HOUR_S;

const expiresAfter = z.strictObject({
  anchor: z.literal('created_at'),
  seconds: z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(HOUR_S).max(MONTH_S)),
});
const uploadFields = z.object({ purpose: filePurpose, expires_after: expiresAfter.optional() });

/** The names of the form fields. */
export const FIELD_NAMES = ['purpose', 'expires_after[anchor]', 'expires_after[seconds]'] as const;

/** Throws `invalid_value` that names the field. */
export function parseUploadFields(form: ReadonlyMap<string, unknown>): UploadFields {
  const unknown = [...form.keys()].find((name) => !FIELD_NAMES.some((known) => known === name));
  if (unknown !== undefined) throw unknownField(unknown);
  const [purpose, anchor, seconds] = FIELD_NAMES.map((name) => form.get(name));
  const expires = anchor === undefined && seconds === undefined ? {} : { expires_after: { anchor, seconds } };
  const parsed = uploadFields.safeParse({ purpose, ...expires });
  if (!parsed.success) throw invalidValue(parsed.error.issues);
  const after = parsed.data.expires_after;
  return { purpose: parsed.data.purpose, expiresAfterMs: after && after.seconds * 1_000 };
}

function unknownField(name: string): TurnoutError {
  const param = name.slice(0, 100);
  return new TurnoutError('invalid_value', { message: `Unknown form field: '${param}'.`, param });
}
