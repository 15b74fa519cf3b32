/**
 * `make verify`: runs the checks that a release must pass and that take too long for CI, one after the other. This takes hours. Exits
 * with 1 if a step failed or is missing. STEPS=name,name runs some of them: `.turnout/reports/verify.json` keeps the results of this commit.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot, stateFolder } from '../../stack/layout.ts';
import { sayAs, writeReport } from '../../stack/reports.ts';
import { chosenSteps, mergeOutcomes, missing, type StepOutcome, type VerifyStep, steps } from './steps.ts';

const say = sayAs('verify');
const git = (...args: string[]) =>
  execFileSync('git', args, { cwd: repositoryRoot, encoding: 'utf8' }).trim();
if (git('status', '--porcelain') !== '') {
  console.error('There are uncommitted changes. Commit them first: the report applies to a commit.');
  process.exit(2);
}
const commit = git('rev-parse', 'HEAD');
const file = join(stateFolder(), 'reports', 'verify.json');
let outcomes = mergeOutcomes(readEarlier(), [], commit);
for (const step of chosenSteps(process.env['STEPS'])) {
  outcomes = mergeOutcomes(outcomes, [await play(step)], commit);
  writeReport('verify', { commit, missing: missing(outcomes), outcomes }, say);
}
const left = missing(outcomes);
for (const words of left) console.log(`WRONG ${words}`);
console.log(`${outcomes.filter(({ passed }) => passed).length} of ${steps.length} steps passed`);
process.exitCode = left.length === 0 ? 0 : 1;

async function play({ name, command, env = {} }: VerifyStep): Promise<StepOutcome> {
  say(`${name} started`);
  const begun = performance.now();
  const child = spawn('npm', ['run', '--silent', command], {
    cwd: repositoryRoot,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  const seconds = Math.round((performance.now() - begun) / 1_000);
  say(`${name} ${code === 0 ? 'passed' : 'failed'} after ${seconds} s`);
  return { name, passed: code === 0, seconds, commit, at: new Date().toISOString() };
}

function readEarlier(): readonly StepOutcome[] {
  if (!existsSync(file)) return [];
  return (JSON.parse(readFileSync(file, 'utf8')) as { outcomes: StepOutcome[] }).outcomes;
}
