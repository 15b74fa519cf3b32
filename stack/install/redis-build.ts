import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { StackError } from '../errors.ts';

/** A server program that speaks Redis's protocol. */
const redisBuild = z.object({
  /** Its absolute path. */
  command: z.string(),
  product: z.enum(['redis', 'valkey']),
  /** `7.2.4` */
  version: z.string(),
});
export type RedisBuild = z.infer<typeof redisBuild>;

/** The server that wrote the data. If no build was recorded, it is read from the data, which name no path. */
type Writer = Pick<RedisBuild, 'product' | 'version'>;

interface ChooseOptions {
  /** The server's data folder. The record of its build is next to it, in `<folder>.build.json`. */
  folder: string;
  /** The build at a path; undefined if there is none that runs. */
  inspect: (command: string) => RedisBuild | undefined;
  /** The builds that a new stack may use, the preferred one first. */
  candidates: () => Promise<readonly RedisBuild[]>;
  say: (line: string) => void;
}

/**
 * Chooses the server for a data folder: the build that wrote the data, as long as it is installed. Another product or an older build
 * may be unable to read the data, so another redis-server that appears on PATH changes nothing for a stack that has data.
 * If that build is no longer installed, a build of the same product with the same or a newer version takes over, with a message.
 * Throws `StackError` if there is none: a server that may be unable to read the data is never started on them.
 */
export async function chooseRedisBuild(options: ChooseOptions): Promise<RedisBuild> {
  const build = await choose(options);
  writeFileSync(recordOf(options.folder), JSON.stringify(build, null, 2), { mode: 0o600 });
  return build;
}

async function choose({ folder, inspect, candidates, say }: ChooseOptions): Promise<RedisBuild> {
  const recorded = readRecord(folder);
  const writer = hasData(folder) ? (recorded ?? writerIn(folder)) : undefined;
  const installed = recorded && inspect(recorded.command);
  if (recorded && installed && (!writer || canRead(installed, writer))) return installed;
  const found = await candidates();
  const [first] = found;
  if (!first)
    throw new StackError(
      'No Redis server of version 7 or newer was found. Install redis-server or valkey-server.',
    );
  if (!writer) return first;
  const same = found.find(({ product, version }) => product === writer.product && version === writer.version);
  const heir = same ?? found.find((build) => canRead(build, writer));
  if (!heir) throw new StackError(noReader(writer, folder, recorded));
  if (heir.version !== writer.version) say(`redis: ${nameOf(heir)} takes over the data of ${nameOf(writer)}`);
  return heir;
}

/** A server can read the data of the same product in the same or an older version. */
function canRead(build: RedisBuild, writer: Writer): boolean {
  return build.product === writer.product && isAsNew(build.version, writer.version);
}

function isAsNew(version: string, than: string): boolean {
  return version.localeCompare(than, 'en', { numeric: true }) >= 0;
}

function nameOf({ product, version }: Writer): string {
  return `${product} ${version}`;
}

function noReader(writer: Writer, folder: string, recorded: RedisBuild | undefined): string {
  const where = recorded ? ` (${recorded.command})` : '';
  return (
    `The data in ${folder} were written by ${nameOf(writer)}${where}, but neither that server nor a newer ${writer.product} is installed. ` +
    `Install it again, or remove the folder to start with an empty Redis.`
  );
}

const recordOf = (folder: string): string => `${folder}.build.json`;

function readRecord(folder: string): RedisBuild | undefined {
  const file = recordOf(folder);
  if (!existsSync(file)) return undefined;
  const read = redisBuild.safeParse(parsed(readFileSync(file, 'utf8')));
  if (read.success) return read.data;
  throw new StackError(
    `${file} is not valid. Remove it: the server that wrote the data is then determined from the data.`,
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // The caller names the file.
  }
}

const BASES = 'appendonlydir/*.base.rdb';

function hasData(folder: string): boolean {
  return globSync(BASES, { cwd: folder }).length > 0;
}

/** The base of an append-only file is an RDB file, whose header names the server that wrote it. */
const WRITER = /(redis|valkey)-ver.(\d+\.\d+\.\d+)/s;
const HEADER_BYTES = 256;

/** Undefined if the header names no server. */
function writerIn(folder: string): Writer | undefined {
  for (const base of globSync(BASES, { cwd: folder })) {
    const header = readFileSync(join(folder, base)).subarray(0, HEADER_BYTES).toString('latin1');
    const [, product, version] = WRITER.exec(header) ?? [];
    if (product && version) return { product: product as Writer['product'], version };
  }
  return undefined;
}
