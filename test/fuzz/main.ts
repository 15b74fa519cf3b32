/** `make fuzz`: ten minutes of invalid requests and messages. Writes the report, and exits with 1 when an invariant did not hold. */
import { sayAs, writeReport } from '../../stack/reports.ts';
import { testEnv } from '../harness/env.ts';
import { serviceNames } from '../../stack/services.ts';
import { isReady, startServices } from '../harness/services.ts';
import { startSystem } from '../harness/system.ts';
import { fuzzApi } from './fuzz.ts';
import { randomFrom } from './random.ts';
import { fuzzTopics } from './topics.ts';

const say = sayAs('fuzz');
const SECONDS = Number(process.argv[2] ?? 600);
const SEED = Number(process.argv[3] ?? 1);

const system = await startSystem({ say });
Object.assign(process.env, system.env);
try {
  const services = await startServices();
  const { TURNOUT_API_KEY, TURNOUT_API_KEY_2 } = testEnv();
  const end = performance.now() + SECONDS * 1_000;
  const more = () => performance.now() < end;
  const [api, messages] = await Promise.all([
    fuzzApi({ url: services.url, keys: [TURNOUT_API_KEY, TURNOUT_API_KEY_2], seed: SEED, more, atOnce: 8 }),
    fuzzTopics(services.prefix, randomFrom(SEED), more),
  ]);
  const ready = await Promise.all(
    serviceNames.map(async (name) => [name, await isReady(services.urlOf(name))]),
  );
  const unready = ready.flatMap(([name, is]) => (is ? [] : [name]));
  const { sent, statuses, wrong } = api;
  say(JSON.stringify({ sent, statuses, messages, unready, wrong: wrong.slice(0, 20) }, null, 2));
  writeReport(
    'fuzz',
    { at: new Date().toISOString(), seconds: SECONDS, seed: SEED, ...api, messages, unready },
    say,
  );
  process.exitCode = wrong.length + unready.length === 0 ? 0 : 1;
  await services.stop();
} finally {
  say('stopping');
  await system.stop();
}
