import { createHash } from 'node:crypto';
import { RE2JS } from 're2js';
import { z } from 'zod';
import { readYaml } from '../../platform/config/yaml-file.ts';

/** Values that a request may use instead of an assistant's name. */
const RESERVED: ReadonlySet<string> = new Set(['auto', 'none']);
const MAX_FILE_CHARACTERS = 512 * 1024;

const text = (max: number) => z.string().trim().min(1, 'must not be empty').max(max);
const list = <T extends z.ZodType>(item: T, max: number) => z.array(item).max(max).default([]);

const assistantName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'must be a-z, 0-9 and -, at most 64 characters')
  .refine((name) => !RESERVED.has(name), 'is reserved: use another name');

/** RE2 has no look-around and no back references, and runs in time linear in the text, so no pattern can hang a process. */
const pattern = text(500).superRefine((source, context) => {
  try {
    RE2JS.compile(source);
  } catch (error) {
    context.addIssue({ code: 'custom', message: `is not a valid RE2 expression: ${messageOf(error)}` });
  }
});

/** `pdf`, `.csv`, `text/csv`, `image/*`. */
const fileType = z
  .string()
  .toLowerCase()
  .regex(
    /^(?:\.?[a-z0-9]{1,10}|[a-z0-9.+-]+\/(?:\*|[a-z0-9.+-]+))$/,
    'must be pdf, docx, html, text, an extension or a media type',
  );

const access = z
  .strictObject({ users: list(text(200), 10_000), groups: list(text(200), 1_000) })
  .refine(({ users, groups }) => users.length + groups.length > 0, 'must name a user or a group');

const assistantFile = z.strictObject({
  name: assistantName,
  description: text(2_000),
  /** Example requests for the assistant, in users' words. */
  examples: list(text(1_000), 500),
  /** The model that answers. Without it, the request must name a model. */
  model: text(200).optional(),
  instructions: text(64 * 1024),
  /** Names of the retrieval services that this assistant's jobs query. */
  sources: list(text(100), 32),
  file_types: list(fileType, 50),
  patterns: list(pattern, 50),
  default: z.boolean().default(false),
  /** The users and groups that may use the assistant; absent: all users. */
  access: access.optional(),
});

/** One assistant, as described in its file. */
export type Assistant = z.infer<typeof assistantFile> & {
  /** A hash of the file's content, in hex. */
  version: string;
};

/** Reads one file. Returns the assistant, or all problems of an invalid file, each with its field. */
export function readAssistant(yaml: string): Assistant | readonly string[] {
  const read = readYaml(assistantFile, yaml, MAX_FILE_CHARACTERS);
  if ('problems' in read) return read.problems;
  return { ...read.value, version: createHash('sha256').update(yaml).digest('hex').slice(0, 12) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
