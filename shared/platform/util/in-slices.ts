/** Splits a list into slices whose sizes add up to at most `atMost`; a larger item gets a slice of its own. */
export function inSlices<T>(items: readonly T[], atMost: number, sizeOf: (item: T) => number): T[][] {
  const slices: T[][] = [];
  let size = Infinity;
  for (const item of items) {
    const own = sizeOf(item);
    if (size + own > atMost) {
      slices.push([]);
      size = 0;
    }
    slices.at(-1)?.push(item);
    size += own;
  }
  return slices;
}
