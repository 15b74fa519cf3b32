import { type Config } from './schema.ts';

/** The longest deadline that a job may have. Milliseconds. */
export const MAX_DEADLINE_MS = 24 * 3_600_000;

type Rule = readonly [isBroken: (config: Config) => boolean, problem: string];

/** Each variable may be right by itself, and two of them wrong together. */
const RULES: readonly Rule[] = [
  [
    ({ LAME_DUCK_MS: lameDuck, SHUTDOWN_TIMEOUT_MS: whole }) => lameDuck >= whole,
    'LAME_DUCK_MS must be shorter than SHUTDOWN_TIMEOUT_MS: it is a part of it, and open answers get the rest',
  ],
  [
    ({ DEFAULT_DEADLINE_MS: deadline }) => deadline > MAX_DEADLINE_MS,
    `DEFAULT_DEADLINE_MS must be at most ${MAX_DEADLINE_MS}, the longest deadline that a request may ask for`,
  ],
  [
    ({ RESPONSE_RETENTION_MS: stored, LOG_RETENTION_MS: log }) => stored < log,
    'RESPONSE_RETENTION_MS must be at least LOG_RETENTION_MS: a stored response is read from its job log first',
  ],
];

/** What is wrong with the configuration as a whole, one line each. */
export function checkTogether(config: Config): string[] {
  return RULES.filter(([isBroken]) => isBroken(config)).map(([, problem]) => problem);
}
