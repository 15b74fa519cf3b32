/** A failure whose message tells the person at the terminal what is wrong and what to do. Shown without a stack trace. */
export class StackError extends Error {
  override readonly name = 'StackError';
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
