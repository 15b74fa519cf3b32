import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { hasCode } from './errors.ts';
import { liveProcess } from './pid-record.ts';
import { processInfo } from './process-info.ts';

/**
 * Ports that a process has chosen and on which no server listens yet. Between the choice and the server's start every
 * process sees the port as free, so two checkouts that start at the same moment would choose the same one. A claim is a file
 * that all checkouts of one user see. It lasts as long as the process that made it: a claim whose owner has died is free.
 */
export interface PortClaims {
  /** `new`: claimed now. `mine`: this process had claimed it before. `taken`: another process holds it. */
  claim(port: number): 'new' | 'mine' | 'taken';
  release(port: number): void;
}

const ownerSchema = z.object({ pid: z.number().int().positive(), startTime: z.string() });
type Owner = z.infer<typeof ownerSchema>;

export function createPortClaims(folder: string, self: Owner = thisProcess()): PortClaims {
  function tryClaim(file: string): boolean {
    try {
      writeFileSync(file, JSON.stringify(self), { flag: 'wx', mode: 0o600 });
      return true;
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return false;
      throw error;
    }
  }

  /**
   * Removes the claim of a process that has died. Several processes may find the same one: the file is moved away first, and put back
   * where it turns out to be the claim that another of them has made meanwhile.
   */
  function removeAbandoned(file: string, text: string): void {
    const moved = `${file}.${self.pid}`;
    try {
      renameSync(file, moved);
      if (readFileSync(moved, 'utf8') !== text) linkSync(moved, file);
    } catch (error) {
      if (!hasCode(error, 'ENOENT') && !hasCode(error, 'EEXIST')) throw error;
    }
    rmSync(moved, { force: true });
  }

  return {
    claim: (port) => {
      const file = join(folder, String(port));
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      if (tryClaim(file)) return 'new';
      const text = textOf(file);
      const owner = ownerIn(text);
      if (owner && owner.pid === self.pid && owner.startTime === self.startTime) return 'mine';
      // An empty file is being written.
      if (text === '' || (owner && liveProcess(owner))) return 'taken';
      removeAbandoned(file, text);
      return tryClaim(file) ? 'new' : 'taken';
    },
    release: (port) => rmSync(join(folder, String(port)), { force: true }),
  };
}

/** Of a file that has just been removed, what no claim says. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 'removed';
    throw error;
  }
}

function ownerIn(text: string): Owner | undefined {
  try {
    return ownerSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // Not JSON: no process of ours has written it.
  }
}

function thisProcess(): Owner {
  return { pid: process.pid, startTime: processInfo(process.pid)?.startTime ?? '' };
}

/** Shared by all checkouts of this user on this machine. */
export const machineClaims = createPortClaims(join(tmpdir(), `turnout-ports-${userInfo().uid}`));
