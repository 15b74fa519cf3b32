import { z } from 'zod';
import { type FlagName, flagNames, readFlags, textsOf } from '../shared/platform/config/flags.ts';
import { messageOf } from './errors.ts';
import { type Settings } from './settings.ts';
import { until } from './until.ts';

const statusSchema = z.object({ epoch: z.number(), flags: z.record(z.string(), z.string()) });
type Status = z.infer<typeof statusSchema>;

interface Server {
  /** The metrics service. */
  readonly url: string;
  readonly adminKey: string;
}

const SETTLED_WITHIN_MS = 5_000;
const ANSWER_TIMEOUT_MS = 3_000;

/**
 * Warns about each flag in the settings that has no effect because a stored command has set it to another value. The rollout's leader
 * applies changed settings some seconds after its start, so the function first waits for differences to disappear.
 */
export async function warnOfStoredFlags(
  settings: Settings,
  server: Server,
  say: (line: string) => void,
): Promise<void> {
  if (!flagNames.some((name) => name in settings)) return;
  try {
    let warnings: string[] = [];
    await until(
      async () => {
        warnings = overridden(settings, await readStatus(server));
        return warnings.length === 0;
      },
      { timeoutMs: SETTLED_WITHIN_MS, everyMs: 500 },
    );
    for (const warning of warnings) say(warning);
  } catch (error) {
    say(`Cannot check whether stored flags override those of .env: ${messageOf(error)}`);
  }
}

async function readStatus({ url, adminKey }: Server): Promise<Status> {
  const response = await fetch(`${url}/admin/rollout`, {
    headers: { authorization: `Bearer ${adminKey}` },
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`the metrics service responded with ${response.status}`);
  return statusSchema.parse(await response.json());
}

/** A warning for each flag that is in force with another value than the settings have. */
export function overridden(settings: Settings, { epoch, flags }: Status): string[] {
  if (epoch === 0) return [];
  const given = Object.fromEntries(
    flagNames.flatMap((name) => (settings[name] === undefined ? [] : [[name, settings[name]]])),
  );
  const read = readFlags(given);
  if (Array.isArray(read)) return []; // The services refuse to start with an invalid value, and name it.
  const texts = textsOf(read);
  return flagNames
    .filter((name) => name in given && !winsInItsProcess(name, texts) && texts[name] !== flags[name])
    .map(
      (name) =>
        `${name}=${texts[name]} has no effect: a stored command has set it to ${flags[name] || 'empty'} (epoch ${epoch}). ` +
        `Change it with: bin/turnout flags set ${name}=${texts[name]}`,
    );
}

/** These two can only move users to the legacy backend, and apply in their process regardless of the stored flags. */
function winsInItsProcess(name: FlagName, texts: Record<FlagName, string>): boolean {
  return name === 'BYPASS_USER' || (name === 'ENABLE_LITELLM' && texts[name] === 'false');
}
