import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { hasCode } from './errors.ts';
import { liveProcess } from './pid-record.ts';
import { processInfo } from './process-info.ts';

/**
 * Claims on ports that a process has chosen, but on which no server listens yet. Between the choice and the server's start every
 * process sees the port as free, so two checkouts that start at the same time would choose the same port. A claim is a file that is
 * visible to all checkouts of one user. It is valid while the process that made it runs: the claim of a dead process is free.
 */
export interface PortClaims {
  /** `new`: claimed now. `mine`: this process claimed it earlier. `taken`: another process holds it. */
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
   * Removes the claim of a dead process. Several processes may do this at the same time. Therefore the file is moved away first, and
   * put back if it turns out to be a new claim that another process has made meanwhile.
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
      // Empty: another process has created the file and is about to write it.
      if (text === '' || (owner && liveProcess(owner))) return 'taken';
      removeAbandoned(file, text);
      return tryClaim(file) ? 'new' : 'taken';
    },
    release: (port) => rmSync(join(folder, String(port)), { force: true }),
  };
}

/** The content of a claim file. For a file that was just removed: a text that no claim contains. */
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
    return undefined; // Not JSON: not written by Turnout.
  }
}

function thisProcess(): Owner {
  return { pid: process.pid, startTime: processInfo(process.pid)?.startTime ?? '' };
}

/** The claims of all checkouts of this user on this machine. */
export const machineClaims = createPortClaims(join(tmpdir(), `turnout-ports-${userInfo().uid}`));
