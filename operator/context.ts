import { type OperatorSettings } from './settings.ts';

/** The outside world as a command sees it. */
export interface OperatorContext {
  /** Read only when a command needs them, so that `--help` works without settings. Throws `ConfigError`. */
  settings: () => OperatorSettings;
  /** The operator's name in the audit. */
  operator: string | undefined;
  /** The repository's folder. Relative paths in settings are resolved against it, as in the services. */
  root: string;
  /** Writes the result to stdout. */
  print: (text: string) => void;
  /** Writes errors and remarks to stderr. */
  complain: (text: string) => void;
}

/** The command failed. The message is shown to the operator; the exit code is 1. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
}
