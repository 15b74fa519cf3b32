import { pino, type Logger } from 'pino';
import { describeError } from './describe-error.ts';

export type { Logger } from 'pino';

/** No code may log a prompt, answer, document, key or raw user id. Redacting these paths is a second safeguard. */
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
 * Writes JSON lines to standard output and, if `LOG_FILE` is set, to that file as well. `msg` is the last key of a line, as pino
 * guarantees; the rollout guide's awk commands depend on it.
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

/** The most bytes that are buffered while a log cannot be written. Further lines are dropped. */
const MOST_WAITING = 4 * 1024 * 1024;
/** Minimum interval between two reports that a log cannot be written. */
const REPORT_EVERY_MS = 60_000;

/** A full disk loses log lines but never stops the process. Buffered lines are written with the first line that succeeds again. */
function destination(dest: string | number, onError: (error: Error) => void): pino.DestinationStream {
  const stream = pino.destination({ dest, mkdir: true, append: true, sync: false, maxLength: MOST_WAITING });
  let [reportedAt, isFailing] = [-Infinity, false];
  stream.on('write', () => (isFailing = false));
  stream.on('error', (error: Error) => {
    isFailing = true;
    if (performance.now() - reportedAt < REPORT_EVERY_MS) return;
    reportedAt = performance.now();
    onError(error);
  });
  // At exit, sonic-boom (4.2.1) retries the flush until it succeeds. With a full disk that would never end.
  const flushSync = stream.flushSync.bind(stream);
  stream.flushSync = () => {
    if (!isFailing) flushSync();
  };
  return stream;
}

export const silentLogger: Logger = pino({ level: 'silent' });
