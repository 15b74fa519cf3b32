import { type JobLock } from './renew-locks.ts';

/**
 * The locks that a process holds, in memory that its main thread and its lock thread share. The main thread writes a lock when a job begins
 * and frees it when the job ends; the lock thread reads the table when it renews. A message for each job would cost both threads more than
 * the renewal does.
 *
 * The table consists of pages of slots. A slot: free (length 0) -> held (the bytes of one lock) -> free.
 * Invariant: the version of a slot is odd while the main thread writes it. A reader that finds an odd version, or another version after it
 * has read the slot, reads it again (a seqlock: Boehm 2012, "Can Seqlocks Get Along With Programming Language Memory Models?", section 3).
 */
export interface LockTable {
  readonly pages: readonly SharedArrayBuffer[];
  /** Adds a lock. The returned function frees its slot. Throws a `RangeError` if the lock has more than 504 bytes. */
  add(lock: JobLock): () => void;
}

const SLOTS_PER_PAGE = 64;
const SLOT_BYTES = 512;
/** Each slot begins with two 32-bit integers: its version and the length of its text. */
const HEADER_BYTES = 8;
const WORDS_PER_SLOT = SLOT_BYTES / Int32Array.BYTES_PER_ELEMENT;

/** `onPage` receives each new page, also the first one. */
export function createLockTable(onPage: (page: SharedArrayBuffer) => void): LockTable {
  const pages: SharedArrayBuffer[] = [];
  const free: Slot[] = [];

  function addPage(): void {
    const page = new SharedArrayBuffer(SLOTS_PER_PAGE * SLOT_BYTES);
    pages.push(page);
    free.push(...slotsOf(page));
    onPage(page);
  }

  return {
    pages,
    add: (lock) => {
      if (free.length === 0) addPage();
      const slot = free.pop();
      if (!slot) throw new Error('A new page has no free slot');
      try {
        write(slot, `${lock.queue}\n${lock.jobId}\n${lock.token}`);
      } catch (error) {
        free.push(slot);
        throw error;
      }
      return () => {
        write(slot, '');
        free.push(slot);
      };
    },
  };
}

/** The locks in a page. Any thread may call this at any time. */
export function readLocks(page: SharedArrayBuffer): JobLock[] {
  return slotsOf(page).flatMap((slot) => {
    const text = read(slot);
    if (text === '') return [];
    const [queue = '', jobId = '', token = ''] = text.split('\n');
    return [{ queue, jobId, token }];
  });
}

interface Slot {
  /** Version and length. */
  header: Int32Array;
  bytes: Buffer;
}

function slotsOf(page: SharedArrayBuffer): Slot[] {
  const words = new Int32Array(page);
  return Array.from({ length: SLOTS_PER_PAGE }, (_, at) => ({
    header: words.subarray(at * WORDS_PER_SLOT, at * WORDS_PER_SLOT + 2),
    bytes: Buffer.from(page, at * SLOT_BYTES + HEADER_BYTES, SLOT_BYTES - HEADER_BYTES),
  }));
}

function write({ header, bytes }: Slot, text: string): void {
  const length = Buffer.byteLength(text);
  if (length > bytes.length) throw new RangeError(`A lock has ${length} bytes; at most ${bytes.length} fit`);
  Atomics.add(header, 0, 1);
  bytes.write(text);
  Atomics.store(header, 1, length);
  Atomics.add(header, 0, 1);
}

function read({ header, bytes }: Slot): string {
  for (;;) {
    const version = Atomics.load(header, 0);
    const text = bytes.toString('utf8', 0, Atomics.load(header, 1));
    if (version % 2 === 0 && Atomics.load(header, 0) === version) return text;
  }
}
