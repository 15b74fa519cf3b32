import { type Producer } from '../../shared/platform/kafka/port.ts';
import { CommandFailed, type OperatorContext } from '../context.ts';
import { needing, type Stores, withStores } from '../stores.ts';
import { oneLine } from '../terminal-safe.ts';
import { eachLetter, hasReason } from './letters.ts';
import { toJsonLine } from '../output.ts';
import { replayLetter, type ReplayDeps, type ReplayResult } from './replay.ts';
import { createReplayMarks } from './replay-marks.ts';

interface ReplayOptions {
  /** Undefined: all dead letters. */
  ids: readonly string[] | undefined;
  reason?: string;
  force?: true;
  json?: true;
}

type Report = (id: string, result: ReplayResult | Unknown) => void;
interface Unknown {
  result: 'unknown';
}

/** Prints one line for each dead letter. Throws `CommandFailed` if any of them was not replayed. */
export async function replayLetters(context: OperatorContext, options: ReplayOptions): Promise<void> {
  const settings = context.settings();
  const counts = { done: 0, refused: 0 };
  const report: Report = (id, result) => {
    counts[isDone(result) ? 'done' : 'refused'] += 1;
    context.print(options.json ? toJsonLine({ id, ...result }) : `${oneLine(id)}  ${inWords(result)}`);
  };
  await withStores(settings, (stores) =>
    replayEach(stores, options, { retentionMs: settings.LOG_RETENTION_MS, report }),
  );
  const all = counts.done + counts.refused;
  if (all === 0) context.complain('No dead letters to replay.');
  if (counts.refused > 0) throw new CommandFailed(`${counts.refused} of ${all} were not replayed.`);
}

/** Replays each dead letter as it is read, so that only one payload is in memory at a time. */
async function replayEach(
  stores: Stores,
  { ids, reason, force }: ReplayOptions,
  { retentionMs, report }: { retentionMs: number; report: Report },
): Promise<void> {
  const { topics, jobLog, addresses } = stores;
  const wanted = ids && new Set(ids);
  const marks = createReplayMarks(stores.redis, stores.keys);
  const producer = lazyProducer(stores);
  try {
    const deps: ReplayDeps = {
      send: producer.send,
      topics,
      jobLog,
      marks,
      retentionMs,
      force: force ?? false,
    };
    await eachLetter(stores, async (letter) => {
      if (wanted ? !wanted.delete(letter.origin) : !hasReason(letter, reason)) return;
      report(letter.origin, await needing(addresses.redis, replayLetter(deps, letter)));
    });
  } finally {
    await producer.close();
  }
  for (const id of wanted ?? []) report(id, { result: 'unknown' });
}

/** Connects when the first message is sent. If there is nothing to send, the command does not wait for a connection. */
function lazyProducer({ kafka, addresses }: Stores) {
  let connecting: Promise<Producer> | undefined;
  const send: ReplayDeps['send'] = async (message) => {
    connecting ??= needing(addresses.kafka, kafka.producer());
    const producer = await connecting;
    await needing(addresses.kafka, producer.send(message));
  };
  return {
    send,
    close: async () => {
      await (await connecting)?.close();
    },
  };
}

function isDone({ result }: ReplayResult | Unknown): boolean {
  return result === 'replayed' || result === 'already replayed';
}

function inWords(outcome: ReplayResult | Unknown): string {
  switch (outcome.result) {
    case 'replayed':
      return 'replayed';
    case 'already replayed':
      return `already replayed (${outcome.at})`;
    case 'not replayable':
      return `not replayable: ${oneLine(outcome.why)}`;
    case 'unknown':
      return 'unknown: no such dead letter (`turnout dlq list` shows the ids)';
  }
}
