import { type Config } from './schema.ts';

/** The longest deadline of a job, in milliseconds. */
export const MAX_DEADLINE_MS = 24 * 3_600_000;

type Rule = readonly [isBroken: (config: Config) => boolean, problem: string];

/** Rules for combinations of variables that are each valid on their own. */
const RULES: readonly Rule[] = [
  [
    ({ LAME_DUCK_MS: lameDuck, SHUTDOWN_TIMEOUT_MS: whole }) => lameDuck >= whole,
    'LAME_DUCK_MS must be shorter than SHUTDOWN_TIMEOUT_MS: it is part of that time, and open answers get the rest',
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

/** The problems between variables, one line for each. */
export function checkTogether(config: Config): string[] {
  return RULES.filter(([isBroken]) => isBroken(config)).map(([, problem]) => problem);
}
