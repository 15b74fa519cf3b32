import { Command, CommanderError } from 'commander';
import { VERSION } from '../shared/platform/version.ts';
import { ConfigError } from '../shared/platform/config/load.ts';
import { assistantsCommand } from './assistants/command.ts';
import { auditCommand } from './audit/command.ts';
import { blobsCommand } from './blobs/command.ts';
import { cacheCommand } from './cache/command.ts';
import { CommandFailed, type OperatorContext } from './context.ts';
import { dlqCommand } from './dlq/command.ts';
import { flagsCommand } from './flags/command.ts';
import { jobsCommand } from './jobs/command.ts';
import { keysCommand } from './keys/command.ts';
import { rolloutCommand } from './rollout/command.ts';
import { usageCommand } from './usage/command.ts';
import { userCommand } from './user/command.ts';
import { webhooksCommand } from './webhooks/command.ts';

/** One function for each command group. To add a group, add a line. */
const GROUPS: readonly ((context: OperatorContext) => Command)[] = [
  assistantsCommand,
  auditCommand,
  blobsCommand,
  cacheCommand,
  dlqCommand,
  flagsCommand,
  jobsCommand,
  keysCommand,
  rolloutCommand,
  usageCommand,
  userCommand,
  webhooksCommand,
];

const SETTINGS_HELP = `
Settings are the services' own variables, read from the environment first, then from .env:
  all commands   KAFKA_BROKERS, REDIS_URL, CACHE_REDIS_URL, TOPIC_PREFIX, REDIS_PREFIX, LOG_RETENTION_MS
  assistants     ASSISTANTS_DIR
  keys           API_KEYS_FILE
  usage          TURNOUT_SECRET
  webhooks       TURNOUT_SECRET, WEBHOOK_ALLOW_HTTP, WEBHOOK_ALLOW_PRIVATE
  blobs          BLOB_STORE, BLOB_DIR, S3_*

KAFKA_BROKERS and REDIS_URL must both come from the same source. The first source that sets either one is used:
  1. the environment
  2. .turnout/dev.env, written by \`make up\`
  3. .env

Exit codes: 0 success, 1 failure, 2 wrong usage or invalid settings.`;

const [DONE, FAILED, WRONG_USAGE] = [0, 1, 2];

/** Runs one command line and returns its exit code. Never throws. */
export async function runProgram(args: readonly string[], context: OperatorContext): Promise<number> {
  try {
    await buildProgram(context).parseAsync(args, { from: 'user' });
    return DONE;
  } catch (error) {
    return explain(error, context);
  }
}

/** The tree of all commands; nothing of it runs before `parseAsync`. */
export function buildProgram(context: OperatorContext): Command {
  const program = new Command('turnout')
    .description('The command line for operators of Turnout.')
    .version(VERSION, '--version', 'show the version')
    .addHelpText('after', SETTINGS_HELP);
  for (const group of GROUPS) program.addCommand(group(context));
  govern(program, context);
  return program;
}

/** Sets exit and output handling on every command: commander does not pass them on to commands added with `addCommand`. */
function govern(command: Command, context: OperatorContext): void {
  command
    .exitOverride()
    .showHelpAfterError('(use --help for usage)')
    .configureOutput({
      writeOut: (text) => context.print(text.trimEnd()),
      writeErr: (text) => context.complain(text.trimEnd()),
    });
  for (const child of command.commands) govern(child, context);
}

/** Expected errors are shown as a message. Anything else is a bug and is shown with its stack trace. */
function explain(error: unknown, { complain }: OperatorContext): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : WRONG_USAGE; // commander has printed the error
  if (error instanceof ConfigError || error instanceof CommandFailed) complain(error.message);
  else complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return error instanceof ConfigError ? WRONG_USAGE : FAILED;
}
