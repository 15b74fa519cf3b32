/** Tasks for the pool's own test. */
export function length(bytes: Uint8Array): number {
  return bytes.byteLength;
}

/** Computes for so many milliseconds. */
export function spin(ms: number): number {
  const until = performance.now() + ms;
  while (performance.now() < until);
  return ms;
}

export function fail(message: string): never {
  throw new Error(message);
}
