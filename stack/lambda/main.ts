/** `make lambda`: bundles the Lambda function into `.turnout/lambda`, prints its size by package and writes the report. */
import { join, relative } from 'node:path';
import { developmentLayout, repositoryRoot } from '../layout.ts';
import { sayAs, writeReport } from '../reports.ts';
import { bundleLambda } from './bundle.ts';

const kilobytes = (bytes: number): string => `${Math.round(bytes / 1024).toLocaleString('en')} KB`;
const SHOWN = 8;

const { folder, bytes, gzippedBytes, parts } = await bundleLambda(
  join(developmentLayout(process.env).state, 'lambda'),
);
console.log(
  `${join(relative(repositoryRoot, folder), 'lambda.mjs')}: ${kilobytes(bytes)}, ${kilobytes(gzippedBytes)} zipped`,
);
for (const [name, size] of parts.slice(0, SHOWN)) console.log(`  ${kilobytes(size).padStart(9)}  ${name}`);
// `make lambda-bench` writes the report `lambda`.
writeReport(
  'bundle',
  { bytes, gzippedBytes, parts: Object.fromEntries(parts.slice(0, SHOWN)) },
  sayAs('lambda'),
);
