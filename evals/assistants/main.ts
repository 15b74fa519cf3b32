/** `make assistants-eval`: measures the quality and speed of assistant selection on CLINC150. Exits with 1 if it is too slow. */
import { cacheFolder } from '../../stack/layout.ts';
import { sayAs, writeReport } from '../../stack/reports.ts';
import { generator } from '../../test/upstream/core/random.ts';
import { readClinc } from './clinc.ts';
import { meanOf, measureQuality } from './quality.ts';
import { type RegistryShape, toRegistry, toTrial } from './registries.ts';
import { type AssistantsReport, SPEED_SHAPE, assistantsText } from './report.ts';
import { measureSpeed } from './speed.ts';
import { bestFloor } from './tune.ts';

/** The number of registries drawn for each shape. Small ones need more draws, because their result depends more on the intents drawn. */
const SHAPES: readonly (RegistryShape & { draws: number })[] = [
  { assistants: 150, examples: 100, draws: 1 },
  { assistants: 100, examples: 20, draws: 3 },
  { assistants: 20, examples: 20, draws: 10 },
  { assistants: 10, examples: 10, draws: 20 },
  { assistants: 5, examples: 8, draws: 20 },
];
/** The limit of the p99, in milliseconds. */
const HELD_TO = 1;
const SEED = 150;

const say = sayAs('assistants');
const [given] = process.argv.slice(2);
const data = await readClinc(given, { cache: cacheFolder(process.env), say });
const random = generator(SEED);

const qualities = SHAPES.map(({ draws, ...shape }) => {
  const drawn = Array.from({ length: draws }, () => toRegistry(data, shape, random));
  const tried = drawn.map((assistants) =>
    toTrial(assistants, data.val, [...data.oos_val, ...data.oos_train]),
  );
  const quality = meanOf(drawn.map((one) => measureQuality(toTrial(one, data.test, data.oos_test))));
  return { ...shape, draws, quality, validation: bestFloor(tried) };
});
const speed = measureSpeed(toRegistry(data, SPEED_SHAPE, random), data.val, data.test);
const report: AssistantsReport = { at: new Date().toISOString(), qualities, speed, heldToMs: HELD_TO };
console.log(assistantsText(report));
writeReport('assistants', report, say);
process.exitCode = speed.short.p99 < HELD_TO ? 0 : 1;
