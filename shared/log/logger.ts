import { pino, type Logger } from 'pino';
import { type Config } from '../config/schema.ts';
import { describeError } from './describe-error.ts';

export type { Logger } from 'pino';

/** No prompt, answer, document, key or raw user id is ever logged; these paths are the net below that rule. */
const REDACTED = [
  'authorization',
  'headers.authorization',
  'headers.cookie',
  'apiKey',
  'messages',
  'user',
  'body',
];

/**
 * JSON lines on standard output and, when `LOG_FILE` is set, in that file as well. `msg` is the last key of a line (pino
 * writes it last by itself): the rollout guide's awk commands depend on it.
 */
export function createLogger(
  service: string,
  config: Pick<Config, 'LOG_LEVEL' | 'LOG_FILE'>,
  output: pino.DestinationStream = pino.destination({ dest: 1, sync: false }),
): Logger {
  const streams: pino.StreamEntry[] = [{ level: 'trace', stream: output }];
  if (config.LOG_FILE) {
    const file = pino.destination({ dest: config.LOG_FILE, mkdir: true, append: true, sync: false });
    streams.push({ level: 'trace', stream: file });
  }
  return pino(
    {
      level: config.LOG_LEVEL,
      base: { service, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
      redact: { paths: REDACTED, censor: '[redacted]' },
    },
    pino.multistream(streams),
  );
}

export const silentLogger: Logger = pino({ level: 'silent' });
