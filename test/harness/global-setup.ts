import { infrastructureParts, type InfrastructurePart } from '../../stack/infrastructure.ts';
import { chosenKind, startRunSystem } from './run-system.ts';
import { type System } from './system.ts';

declare global {
  var turnoutTestSystem: Pick<System, 'stop'> | undefined;
}

/** Jest calls this once per run. The tests read the addresses from environment variables. */
export default async function globalSetup(): Promise<void> {
  const say = (line: string): void => console.error(`[stack] ${line}`);
  const kind = await chosenKind(process.env);
  const system = await startRunSystem({ kind, parts: chosenParts(), say });
  globalThis.turnoutTestSystem = system;
  Object.assign(process.env, system.env);
}

/** `TURNOUT_TEST_PARTS=kafka,redis` starts only these, which saves the wait for LiteLLM while working on a test that does not need it. */
function chosenParts(): ReadonlySet<InfrastructurePart> {
  const chosen = process.env['TURNOUT_TEST_PARTS']?.split(',');
  if (chosen === undefined) return new Set(infrastructureParts);
  const unknown = chosen.filter((name) => !infrastructureParts.some((part) => part === name));
  if (unknown.length > 0) throw new Error(`TURNOUT_TEST_PARTS names unknown parts: ${unknown.join(', ')}`);
  return new Set(infrastructureParts.filter((part) => chosen.includes(part)));
}
