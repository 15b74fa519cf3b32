import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MODEL } from '../load/chat-call.ts';

/** Typical assistants of a team. Their descriptions differ. */
const ASSISTANTS = {
  cases: 'Answers what a case says about signals, tracks and stations',
  payroll: 'Explains wages, taxes and holidays of the staff',
  timetables: 'Finds connections and departures of trains',
  tenders: 'Helps to write offers for public tenders',
  onboarding: 'Shows new colleagues around',
} as const;

/** Writes the assistants to a folder for `ASSISTANTS_DIR`, and returns its path. */
export function writeAssistants(root: string): string {
  const folder = join(root, 'bench-assistants');
  mkdirSync(folder, { recursive: true });
  for (const [name, description] of Object.entries(ASSISTANTS)) {
    const lines = [
      `name: ${name}`,
      `description: ${description}`,
      `model: ${MODEL}`,
      'instructions: Be brief.',
    ];
    writeFileSync(join(folder, `${name}.yaml`), lines.join('\n'));
  }
  return folder;
}
