/** A process of stream readers. It shares no event loop with the measured processes. It receives commands and replies over IPC. */
import { setTimeout as delay } from 'node:timers/promises';
import { percentilesOf } from '../measure/percentiles.ts';
import type { Command, StreamEnded, Gaps, Opened, Replies, ReaderReply } from './protocol.ts';
import { openReader, type Reader } from './reader.ts';

const readers: Reader[] = [];
let gaps: number[] | undefined;

const actions: { [K in Command['kind']]: (command: Command & { kind: K }) => Promise<Replies[K]> } = {
  open,
  listen,
  finish,
};

async function open({
  baseUrl,
  streams,
  readersOfEach,
  paused,
  atATime,
}: Command & { kind: 'open' }): Promise<Opened> {
  const waiting = Array.from({ length: readersOfEach }, () => streams).flat();
  let opened = 0;
  async function openNext(): Promise<void> {
    for (let stream = waiting.shift(); stream; stream = waiting.shift()) {
      const reader = openReader({ baseUrl, stream, paused, onGap: (gap) => gaps?.push(gap) });
      readers.push(reader);
      if (await reader.opened) opened += 1;
    }
  }
  await Promise.all(Array.from({ length: atATime }, openNext));
  return { opened, failed: streams.length * readersOfEach - opened };
}

async function listen({ forMs }: Command & { kind: 'listen' }): Promise<Gaps> {
  const heard: number[] = [];
  gaps = heard;
  await delay(forMs);
  gaps = undefined;
  return { gapMs: percentilesOf(heard), events: heard.length };
}

async function finish(): Promise<StreamEnded> {
  const ended = await Promise.all(readers.map(({ over }) => over));
  const count = (how: (typeof ended)[number]) => ended.filter((one) => one === how).length;
  return { right: count('right'), wrong: count('wrong'), dropped: count('dropped') };
}

function say(reply: ReaderReply): void {
  process.send?.(reply);
}

process.on('message', (command: Command) => {
  const action = actions[command.kind] as (command: Command) => Promise<unknown>;
  action(command).then(
    (result) => say({ kind: 'done', result }),
    (error: unknown) => say({ kind: 'failed', message: String(error) }),
  );
});
process.once('disconnect', () => process.exit());
say({ kind: 'ready' });
