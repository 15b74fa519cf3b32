import { z } from 'zod';
import { BoundedMap } from './bounded-map.ts';

/** How the simulator treats a request. `null` means: not set. Token counts are tokens of the answer. */
export interface Knobs {
  /** Milliseconds before the first token, before an error, or before a non-streaming answer starts. */
  ttft: number;
  /** Tokens per second after the first; 0 = no delay. */
  tps: number;
  /** Exact length of a text answer. */
  tokens: number | null;
  /** Tokens of reasoning before the answer. */
  reasoning: number | null;
  /** HTTP status to answer with. */
  fail: number | null;
  /** Seconds in the Retry-After header of a failure. */
  retryAfter: number | null;
  /** Refuse the API key, with the provider's own status and message. */
  badKey: boolean;
  /** Faults (fail, badKey, cut, stall, streamError, malformed, hang) apply only to the first N calls of the job. */
  failTimes: number | null;
  /** Destroy the socket after K tokens. */
  cut: number | null;
  /** Send nothing after K tokens, but keep the socket open. */
  stall: number | null;
  /** After K tokens, send the provider's error event in the stream and end it. */
  streamError: number | null;
  /** The chunk after K tokens is broken JSON; the rest follows. */
  malformed: number | null;
  /** Never send the headers. */
  hang: boolean;
  /** Fraction (0-1) by which each delay varies, from a seeded generator. */
  jitter: number;
  /** Seed of the jitter, mixed with the request's own seed. */
  seed: number;
  /** How a request that carries a partial answer is answered. */
  continue: 'continue' | 'quoted' | 'tagged' | 'bare' | 'same' | 'different' | 'refuse';
}

export type KnobSettings = { [K in keyof Knobs]?: Knobs[K] | undefined };

export const DEFAULT_KNOBS: Readonly<Knobs> = {
  ttft: 0,
  tps: 0,
  tokens: null,
  reasoning: null,
  fail: null,
  retryAfter: null,
  badKey: false,
  failTimes: null,
  cut: null,
  stall: null,
  streamError: null,
  malformed: null,
  hang: false,
  jitter: 0,
  seed: 0,
  continue: 'continue',
};

const CONTINUE_MODES = ['continue', 'quoted', 'tagged', 'bare', 'same', 'different', 'refuse'] as const;
const MAX_DELAY_MS = 3_600_000;
const MAX_TOKENS = 1_000_000;

function decimal(pattern: RegExp, what: string, min: number, max: number) {
  const error = `must be ${what} from ${min} to ${max}`;
  return z
    .string()
    .regex(pattern, { error, abort: true })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error });
}

const whole = (min: number, max: number) => decimal(/^\d+$/, 'a whole number', min, max);
const real = (min: number, max: number) => decimal(/^\d+(\.\d+)?$/, 'a number', min, max);
/** `off` clears a more general setting (per model, or for all models). */
const unlessOff = (schema: ReturnType<typeof decimal>) =>
  z.string().transform((value, context): number | null => {
    if (value === 'off') return null;
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    context.addIssue({ code: 'custom', message: `${result.error.issues[0]?.message ?? 'is wrong'}, or off` });
    return z.NEVER;
  });

const settingsSchema = z.strictObject({
  ttft: whole(0, MAX_DELAY_MS).optional(),
  tps: real(0, MAX_TOKENS).optional(),
  tokens: unlessOff(whole(1, MAX_TOKENS)).optional(),
  reasoning: unlessOff(whole(0, MAX_TOKENS)).optional(),
  fail: unlessOff(whole(400, 599)).optional(),
  retryAfter: unlessOff(real(0, 86_400)).optional(),
  badKey: z.stringbool({ error: 'must be true or false' }).optional(),
  failTimes: unlessOff(whole(0, MAX_TOKENS)).optional(),
  cut: unlessOff(whole(0, MAX_TOKENS)).optional(),
  stall: unlessOff(whole(0, MAX_TOKENS)).optional(),
  streamError: unlessOff(whole(0, MAX_TOKENS)).optional(),
  malformed: unlessOff(whole(0, MAX_TOKENS)).optional(),
  hang: z.stringbool({ error: 'must be true or false' }).optional(),
  jitter: real(0, 1).optional(),
  seed: whole(0, 4_294_967_295).optional(),
  continue: z.enum(CONTINUE_MODES, { error: `must be one of ${CONTINUE_MODES.join(', ')}` }).optional(),
});

/** `fail-times`, `fail_times` and `failTimes` are the same knob. */
const CANONICAL = new Map(Object.keys(DEFAULT_KNOBS).map((name) => [name.toLowerCase(), name]));

function canonicalName(name: string): string {
  return CANONICAL.get(name.replace(/[-_]/g, '').toLowerCase()) ?? name;
}

/** Its message names every bad knob. */
export class KnobError extends Error {
  override readonly name = 'KnobError';
}

function problemsOf(error: z.ZodError): string {
  const texts = error.issues.map((issue) =>
    issue.code === 'unrecognized_keys'
      ? `${issue.keys.map((key) => JSON.stringify(key)).join(', ')}: no such knob (known: ${Object.keys(DEFAULT_KNOBS).join(', ')})`
      : `${issue.path.join('.')}: ${issue.message}`,
  );
  return `bad knobs: ${texts.join('; ')}`;
}

/**
 * Parses knobs from an object of strings, numbers or booleans (the body of `PUT /sim/knobs`).
 * @throws KnobError naming every unknown knob and every bad value
 */
export function parseKnobSettings(raw: Readonly<Record<string, unknown>>): KnobSettings {
  const named = Object.entries(raw).map(([name, value]) => [
    canonicalName(name),
    typeof value === 'number' || typeof value === 'boolean' ? String(value) : value,
  ]);
  const result = settingsSchema.safeParse(Object.fromEntries(named));
  if (!result.success) throw new KnobError(problemsOf(result.error));
  return result.data;
}

const parsedTexts = new BoundedMap<string, KnobSettings>(256);

/**
 * Parses knobs from text: `ttft=200; tps=50; hang`. A name alone means `true`.
 * @throws KnobError
 */
export function parseKnobText(text: string): KnobSettings {
  const known = parsedTexts.get(text);
  if (known !== undefined) return known;
  const pairs = text
    .split(/[;,]/)
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '')
    .map((pair) => {
      const [name = '', ...value] = pair.split('=');
      return [name.trim(), value.length === 0 ? 'true' : value.join('=').trim()] as const;
    });
  const settings = parseKnobSettings(Object.fromEntries(pairs));
  parsedTexts.set(text, settings);
  return settings;
}

const DIRECTIVE = /\s*\[\[\s*sim:([^\]]*)\]\]/gi;

/** Removes `[[sim: ...]]` directives from a text and returns their content unparsed. */
export function extractDirectives(text: string): { text: string; directives: string[] } {
  if (!text.includes('[[')) return { text, directives: [] };
  const directives: string[] = [];
  const rest = text.replace(DIRECTIVE, (_match, inner: string) => {
    directives.push(inner);
    return '';
  });
  return { text: directives.length === 0 ? text : rest.trim(), directives };
}

/** Later settings win over earlier ones. */
export function resolveKnobs(...layers: readonly KnobSettings[]): Knobs {
  const merged: Knobs = { ...DEFAULT_KNOBS };
  for (const layer of layers) Object.assign(merged, layer);
  return merged;
}

/** The same knobs without faults, for calls after the first `failTimes` of a job. */
function withoutFaults(knobs: Knobs): Knobs {
  const none = { fail: null, cut: null, stall: null, streamError: null, malformed: null };
  return { ...knobs, ...none, badKey: false, hang: false };
}

/** The knobs in force for the n-th call (from 1) of a job. */
export function knobsForAttempt(knobs: Knobs, attempt: number): Knobs {
  return knobs.failTimes !== null && attempt > knobs.failTimes ? withoutFaults(knobs) : knobs;
}
