import { InvalidArgumentError } from 'commander';
import { flagNames } from '../../shared/platform/config/flags.ts';

/** Adds `NAME=VALUE` to the flags before it. The leader validates the value, because that may depend on other flags. */
export function flagValue(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [, name, value] = /^([A-Z_]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('It must be NAME=VALUE.');
  if (!(flagNames as string[]).includes(name))
    throw new InvalidArgumentError(`${name} is not a flag. The flags are: ${flagNames.join(', ')}.`);
  if (name in before) throw new InvalidArgumentError(`${name} is set twice.`);
  return { ...before, [name]: value };
}
