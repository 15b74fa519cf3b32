import { join } from 'node:path';
import { z } from 'zod';
import { type InstallContext } from '../../stack/install/python.ts';
import { type Published, readData } from '../../bench/published.ts';

/**
 * Traces of Mooncake (Qin et al., FAST '25), Apache 2.0: one hour of requests to a chat service, and one hour of synthetic requests
 * from public long documents. A request is described by the 512-token blocks of its prompt: equal numbers mean equal blocks after
 * equal beginnings.
 */
const AT = 'https://raw.githubusercontent.com/kvcache-ai/Mooncake/3b5a594133958449a1feaf1c9e0fc1b553e34a28';

const TRACES: Record<'conversation' | 'synthetic', Omit<Published, 'command'>> = {
  conversation: {
    url: `${AT}/FAST25-release/traces/conversation_trace.jsonl`,
    sha256: 'b8cbb061a85206d729d91cdc2981f43c9e0d99209dce588d3af5f7934408b9df',
  },
  synthetic: {
    url: `${AT}/FAST25-release/traces/synthetic_trace.jsonl`,
    sha256: 'bd070915a98fc0ed264d7cfef2ce746002eb3076a695ec31ba2674c0111ec131',
  },
};
export type TraceName = keyof typeof TRACES;

export interface TracedRequest {
  /** Milliseconds since the trace began. */
  at: number;
  user: number;
  blocks: readonly number[];
}

const row = z.object({ timestamp: z.number().min(0), hash_ids: z.array(z.int()).min(1) });
type Row = z.infer<typeof row>;

/** `folder`: contains copies of the published files. Without it, they are downloaded. Throws if a file is not valid. */
export async function readTrace(
  name: TraceName,
  folder: string | undefined,
  context: InstallContext,
): Promise<Row[]> {
  const given = folder === undefined ? undefined : join(folder, `${name}_trace.jsonl`);
  const text = await readData(given, { ...TRACES[name], command: 'make cache' }, context);
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => row.parse(JSON.parse(line)));
}

/** Two requests of one conversation must share this many blocks at the beginning: the first one is often the service's own prompt. */
const SHARED_BLOCKS = 2;

/**
 * Assigns users to requests, because the traces have no users. A request that begins like an earlier one continues its conversation;
 * any other request begins a new one. Conversations are assigned to users in turn.
 */
export function assignUsers(rows: readonly Row[], users: number): TracedRequest[] {
  /** The user of the latest request with each block. */
  const lastUser = new Map<number, number>();
  let conversations = 0;
  return rows.map(({ timestamp, hash_ids: blocks }) => {
    const unknown = blocks.findIndex((block) => !lastUser.has(block));
    const shared = unknown < 0 ? blocks.length : unknown;
    const known = shared < SHARED_BLOCKS ? undefined : lastUser.get(blocks[shared - 1] ?? -1);
    const user = known ?? conversations++ % users;
    for (const block of blocks) lastUser.set(block, user);
    return { at: timestamp, user, blocks };
  });
}
