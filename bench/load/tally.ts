import type { Errors } from './protocol.ts';

export function noteError(errors: Errors, error: unknown): void {
  const what = error instanceof Error ? error.message : String(error);
  errors[what] = (errors[what] ?? 0) + 1;
}
