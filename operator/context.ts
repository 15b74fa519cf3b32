import { type OperatorSettings } from './settings.ts';

/** What a command is given of the world outside. */
export interface OperatorContext {
  /** Read when a command needs them, so that `--help` works without. Throws `ConfigError`. */
  settings: () => OperatorSettings;
  /** Who types, as the audit names him. */
  operator: string | undefined;
  /** The repository's folder: relative paths of settings begin there, as those of the services do. */
  root: string;
  /** The answer. */
  print: (text: string) => void;
  /** What went wrong, or what is no part of the answer. */
  complain: (text: string) => void;
}

/** A command could not do what it was asked for. The message is for the operator; the exit code is 1. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
}
