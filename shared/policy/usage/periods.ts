/** Bills cover UTC days and months. `at`: milliseconds since the epoch. */
export const periods = ['day', 'month'] as const;
export type Period = (typeof periods)[number];

/** `2026-11-29` or `2026-11`. */
export function nameOfPeriod(period: Period, at: number): string {
  return new Date(at).toISOString().slice(0, period === 'day' ? 10 : 7);
}

/** When the next period begins; milliseconds since the epoch. */
export function endOfPeriod(period: Period, at: number): number {
  const date = new Date(at);
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  return period === 'day' ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1, 1);
}
