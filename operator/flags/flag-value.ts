import { InvalidArgumentError } from 'commander';
import { flagNames } from '../../shared/platform/config/flags.ts';

/** `NAME=VALUE` added to those before it. Whether the value is one is the leader's to say, who knows the others. */
export function flagValue(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [, name, value] = /^([A-Z_]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('It must be NAME=VALUE.');
  if (!(flagNames as string[]).includes(name))
    throw new InvalidArgumentError(`${name} is no flag. There are: ${flagNames.join(', ')}.`);
  if (name in before) throw new InvalidArgumentError(`${name} is set twice.`);
  return { ...before, [name]: value };
}
