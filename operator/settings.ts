import { type z } from 'zod';
import { parseSettings } from '../shared/config/load.ts';
import { configSchema } from '../shared/config/schema.ts';

/** What the command line needs of the services' settings. It asks for no key and no secret. */
const operatorSchema = configSchema.pick({
  KAFKA_BROKERS: true,
  TOPIC_PREFIX: true,
  REDIS_URL: true,
  REDIS_PREFIX: true,
  LOG_RETENTION_MS: true,
});

export type OperatorSettings = Readonly<z.infer<typeof operatorSchema>>;

type Variables = Readonly<Record<string, string | undefined>>;

interface SettingsSources {
  shell: Variables;
  /** The repository's `.env`. */
  file: Variables;
  /** `.turnout/dev.env`: the addresses of the stack that `make up` started. */
  stack: Variables;
}

/**
 * The shell's variables over `.env`. The running stack's addresses count only when the shell names none: one system's
 * Kafka is never looked at beside another one's Redis. Throws a `ConfigError` that names every problem.
 */
export function operatorSettings({ shell, file, stack }: SettingsSources): OperatorSettings {
  const elsewhere = ADDRESSES.some((name) => isSet(shell[name]));
  const given = Object.entries(shell).filter(([, value]) => isSet(value));
  return parseSettings(operatorSchema, {
    ...file,
    ...(elsewhere ? {} : Object.fromEntries(ADDRESSES.map((name) => [name, stack[name] ?? file[name]]))),
    ...Object.fromEntries(given),
  });
}

const ADDRESSES = ['KAFKA_BROKERS', 'REDIS_URL'] as const;

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}
