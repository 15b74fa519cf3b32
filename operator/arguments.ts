import { InvalidArgumentError } from 'commander';

/** Parses an option's value. Commander shows the error with the option's name. */
export function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number above 0.');
  return Number(text);
}
