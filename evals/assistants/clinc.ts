import { z } from 'zod';
import { type InstallContext } from '../../stack/install/python.ts';
import { type Published, readData } from '../../bench/published.ts';

/** A request and its intent. The intent of a request out of scope is `oos`. */
export type Query = readonly [text: string, intent: string];

const queries = z.array(z.tuple([z.string(), z.string()]));
const dataset = z.object({
  train: queries,
  val: queries,
  test: queries,
  oos_train: queries,
  oos_val: queries,
  oos_test: queries,
});
export type Clinc = z.infer<typeof dataset>;

/**
 * The complete CLINC150 data set (Larson et al. 2019, "An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction"),
 * CC BY 3.0: 150 intents with 100 training, 20 validation and 30 test requests each, and requests that belong to none of the intents.
 */
const CLINC150: Published = {
  url: 'https://raw.githubusercontent.com/clinc/oos-eval/828f8093932c8fe6ca7936c3d2e52903b1c523de/data/data_full.json',
  sha256: '36923c3705a59e08fe9c3883d8bc2dd966ef93e22cb78ac41171782a698d56e0',
  command: 'make assistants-eval',
};

/** `given`: the path of a local copy. Throws the errors of `readData`. */
export async function readClinc(given: string | undefined, context: InstallContext): Promise<Clinc> {
  return dataset.parse(JSON.parse(await readData(given, CLINC150, context)));
}
