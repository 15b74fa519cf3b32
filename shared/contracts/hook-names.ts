import { z } from 'zod';
import { openEnum } from './tolerant.ts';

/**
 * What is owed when a job has ended, beside telling the metrics. Named at the job's admission, kept in its record, and copied
 * into the outbox row by the script that ends it: so each is done at least once, whoever dies when.
 *
 * `keep`: its log outlives the record's hour, for whoever asks for the stored answer.
 * `notify`: its owner's webhook endpoints are told of its end.
 */
export const knownHookName = z.enum(['keep', 'notify']);
export type HookName = z.infer<typeof knownHookName>;
/** Or one of a later version: it is carried to a process that knows it. */
export const hookName = openEnum(knownHookName.options);

/** As the job Redis has them: one text, separated by spaces. A newer version's may be among them. */
export const hookNames = z
  .string()
  .transform((text) => (text === '' ? [] : text.split(' ')))
  .pipe(z.array(hookName));

/** Each may be done again for the same job, and must do no harm then. A rejection: it is tried again later. */
export type HookHandlers = Readonly<Record<HookName, (jobId: string) => Promise<void>>>;
