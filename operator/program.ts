import { Command, CommanderError } from 'commander';
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

/** Each command group is one function that builds its part of the tree: a new group is one more line here. */
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
Settings: the services' own variables (KAFKA_BROKERS, REDIS_URL, CACHE_REDIS_URL, TOPIC_PREFIX, REDIS_PREFIX, LOG_RETENTION_MS; ASSISTANTS_DIR; API_KEYS_FILE; for
webhooks and usage TURNOUT_SECRET; for webhooks WEBHOOK_ALLOW_HTTP and WEBHOOK_ALLOW_PRIVATE; for blobs BLOB_STORE, BLOB_DIR and S3_*), from the environment, then from .env. KAFKA_BROKERS and
REDIS_URL come from one place, which must name both: the environment, else the stack that \`make up\` started
(.turnout/dev.env), else .env.

Exit codes: 0 done, 1 failed, 2 wrong usage or wrong settings.`;

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
    .description("Turnout's operator's command line.")
    .addHelpText('after', SETTINGS_HELP);
  for (const group of GROUPS) program.addCommand(group(context));
  govern(program, context);
  return program;
}

/** commander does not hand these down to commands that were built by themselves. */
function govern(command: Command, context: OperatorContext): void {
  command
    .exitOverride()
    .showHelpAfterError('(--help shows what there is)')
    .configureOutput({
      writeOut: (text) => context.print(text.trimEnd()),
      writeErr: (text) => context.complain(text.trimEnd()),
    });
  for (const child of command.commands) govern(child, context);
}

/** What an operator can act on is said in words; anything else is a fault of ours and comes with its trace. */
function explain(error: unknown, { complain }: OperatorContext): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : WRONG_USAGE; // it has spoken itself
  if (error instanceof ConfigError || error instanceof CommandFailed) complain(error.message);
  else complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return error instanceof ConfigError ? WRONG_USAGE : FAILED;
}
