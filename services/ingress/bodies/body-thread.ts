import { move } from 'piscina';
import { type ErrorCode } from '../../../shared/platform/errors/catalogue.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type BodyTasks, runHere } from './body-tasks.ts';

export interface ThreadTask {
  name: keyof BodyTasks;
  input: unknown;
}

/**
 * The result of a task. Bytes are transferred between threads, everything else is copied. Errors are passed as data because
 * copying an error loses its class.
 */
export type ThreadOutcome =
  | Uint8Array
  | { kind: 'done'; value: unknown }
  | { kind: 'refused'; code: ErrorCode; message: string; param: string | undefined };

/** The entry point of the pool's worker threads (body-pool.ts). */
export default async function perform({ name, input }: ThreadTask): Promise<ThreadOutcome> {
  try {
    const value: unknown = await runHere(name, input);
    return value instanceof Uint8Array ? (move(value) as Uint8Array) : { kind: 'done', value };
  } catch (error) {
    if (!(error instanceof TurnoutError)) throw error;
    return { kind: 'refused', code: error.code, message: error.message, param: error.param };
  }
}
