import { z } from 'zod';
import { openEnum } from './tolerant.ts';

/**
 * Completion hooks: work to do after a job has ended, in addition to publishing its outcome. Admission names a job's hooks and stores
 * them in the job record. The script that ends the job copies them into the outbox row, so each hook runs at least once even if
 * a process crashes at any point.
 *
 * `keep`: copies the job log so that the stored answer stays readable after the job record expires.
 * `notify`: tells the webhook endpoints of the job's user that the job has ended.
 */
export const knownHookName = z.enum(['keep', 'notify']);
export type HookName = z.infer<typeof knownHookName>;
/** A known hook, or one that a later release has added: it is passed on to a process that knows it. */
export const hookName = openEnum(knownHookName.options);

/** Hooks as stored in the job Redis: one text, separated by spaces. It may contain hooks of a later release. */
export const hookNames = z
  .string()
  .transform((text) => (text === '' ? [] : text.split(' ')))
  .pipe(z.array(hookName));

/** Handlers must be idempotent: a hook can run more than once for the same job. A rejected hook is retried later. */
export type HookHandlers = Readonly<Record<HookName, (jobId: string) => Promise<void>>>;
