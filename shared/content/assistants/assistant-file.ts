import { createHash } from 'node:crypto';
import { RE2JS } from 're2js';
import { z } from 'zod';
import { readYaml } from '../../platform/config/yaml-file.ts';

/** What a request may say instead of an assistant's name. */
const RESERVED: ReadonlySet<string> = new Set(['auto', 'none']);
const MAX_FILE_CHARACTERS = 512 * 1024;

const text = (max: number) => z.string().trim().min(1, 'must not be empty').max(max);
const list = <T extends z.ZodType>(item: T, max: number) => z.array(item).max(max).default([]);

const assistantName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'must be a-z, 0-9 and -, at most 64 characters')
  .refine((name) => !RESERVED.has(name), 'is a word that requests use for something else');

/** RE2 has no look-around and no back references, and takes time linear in the text: no pattern can be made to hang. */
const pattern = text(500).superRefine((source, context) => {
  try {
    RE2JS.compile(source);
  } catch (error) {
    context.addIssue({ code: 'custom', message: `is not an expression of RE2: ${messageOf(error)}` });
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
  /** Requests that the assistant is for, as users write them. */
  examples: list(text(1_000), 500),
  /** The model that answers; without one the request must name it. */
  model: text(200).optional(),
  instructions: text(64 * 1024),
  /** Names of the retrieval services that a job of this assistant asks. */
  sources: list(text(100), 32),
  file_types: list(fileType, 50),
  patterns: list(pattern, 50),
  default: z.boolean().default(false),
  /** Who may use it; everybody where it is absent. */
  access: access.optional(),
});

/** One assistant as its file describes it. */
export type Assistant = z.infer<typeof assistantFile> & {
  /** Hex; another one for each content of the file. */
  version: string;
};

/** Reads one file. Returns what is wrong with it, each problem with its field, where it does not describe an assistant. */
export function readAssistant(yaml: string): Assistant | readonly string[] {
  const read = readYaml(assistantFile, yaml, MAX_FILE_CHARACTERS);
  if ('problems' in read) return read.problems;
  return { ...read.value, version: createHash('sha256').update(yaml).digest('hex').slice(0, 12) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
