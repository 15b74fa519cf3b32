import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { repositoryRoot } from '../../stack/layout.ts';

/** A request and the intent that it belongs to; that of a request out of scope is `oos`. */
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

/** CLINC150, the whole of it: see test/data/clinc150/README.md. */
export function readClinc(): Clinc {
  const file = join(repositoryRoot, 'test', 'data', 'clinc150', 'data_full.json.gz');
  return dataset.parse(JSON.parse(gunzipSync(readFileSync(file)).toString('utf8')));
}
