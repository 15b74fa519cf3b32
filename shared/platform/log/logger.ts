import { pino, type Logger } from 'pino';
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

interface LogSettings {
  LOG_LEVEL: string;
  LOG_FILE?: string | undefined;
}

/**
 * JSON lines on standard output and, when `LOG_FILE` is set, in that file as well. `msg` is the last key of a line (pino
 * writes it last by itself): the rollout guide's awk commands depend on it.
 */
export function createLogger(service: string, config: LogSettings, output?: pino.DestinationStream): Logger {
  const onError = (err: Error, to: string) =>
    log.error({ err, to }, 'Cannot write the log; lines are dropped');
  const streams: pino.StreamEntry[] = [
    { level: 'trace', stream: output ?? destination(1, (err) => onError(err, 'standard output')) },
  ];
  const { LOG_FILE: file } = config;
  if (file) streams.push({ level: 'trace', stream: destination(file, (err) => onError(err, file)) });
  const log = pino(
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
  return log;
}

/** What waits for a log that cannot be written. Bytes; lines beyond it are dropped. */
const MOST_WAITING = 4 * 1024 * 1024;
/** While a log cannot be written, the logger says so this often at most. */
const TELL_EVERY_MS = 60_000;

/** A full disk costs lines, and never the process: what waits is written with the first line for which there is room again. */
function destination(dest: string | number, onError: (error: Error) => void): pino.DestinationStream {
  const stream = pino.destination({ dest, mkdir: true, append: true, sync: false, maxLength: MOST_WAITING });
  let [toldAt, isFailing] = [-Infinity, false];
  stream.on('write', () => (isFailing = false));
  stream.on('error', (error: Error) => {
    isFailing = true;
    if (performance.now() - toldAt < TELL_EVERY_MS) return;
    toldAt = performance.now();
    onError(error);
  });
  // At the process's exit sonic-boom (4.2.1) writes what waits, again and again until it succeeds: before a full disk, for ever.
  const flushSync = stream.flushSync.bind(stream);
  stream.flushSync = () => {
    if (!isFailing) flushSync();
  };
  return stream;
}

export const silentLogger: Logger = pino({ level: 'silent' });
