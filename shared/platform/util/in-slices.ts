/** Cuts a list into runs whose sizes add up to at most that many; an item that is larger by itself makes a run of its own. */
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
