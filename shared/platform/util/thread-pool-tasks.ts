/** Tasks for the test of the thread pool. */
export function length(bytes: Uint8Array): number {
  return bytes.byteLength;
}

/** Blocks its thread for `ms` milliseconds. */
export function spin(ms: number): number {
  const until = performance.now() + ms;
  while (performance.now() < until);
  return ms;
}

export function fail(message: string): never {
  throw new Error(message);
}
