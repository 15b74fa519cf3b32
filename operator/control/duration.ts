import { InvalidArgumentError } from 'commander';

const UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 } as const;
type Unit = keyof typeof UNITS;

/** Parses a duration such as `48h`. Returns milliseconds. */
export function duration(text: string): number {
  const [, count, unit] = /^(\d{1,6})([dhms])$/.exec(text) ?? [];
  if (unit === undefined) throw new InvalidArgumentError('It must be like 48h, 30m, 2d or 90s.');
  return Number(count) * UNITS[unit as Unit];
}

/** The duration in the largest unit that divides it. */
export function durationInWords(ms: number): string {
  const units = Object.keys(UNITS) as Unit[];
  const unit = units.find((one) => ms > 0 && ms % UNITS[one] === 0);
  return unit ? `${ms / UNITS[unit]}${unit}` : `${ms / 1_000}s`;
}
