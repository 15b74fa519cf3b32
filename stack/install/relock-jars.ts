/**
 * Writes kafka.lock.json from a folder in the layout of a Maven repository, for example the output of
 * `mvn dependency:copy-dependencies -Dmdep.useRepositoryLayout=true -DincludeScope=runtime -DoutputDirectory=DIR`
 * in a project that depends on org.apache.kafka:kafka_2.13 and org.slf4j:slf4j-simple.
 *
 * Usage: node stack/install/relock-jars.ts DIR
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type JarLock, sha256Of } from './jar-lock.ts';

function lockOf(directory: string): JarLock {
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.jar'))
    .sort();
  return {
    jars: paths.map((path) => {
      const content = readFileSync(join(directory, path));
      return { path, bytes: content.length, sha256: sha256Of(content) };
    }),
  };
}

const [directory] = process.argv.slice(2);
if (directory === undefined)
  throw new Error('The folder with the jars is missing. Usage: node stack/install/relock-jars.ts DIR');
const target = join(import.meta.dirname, 'kafka.lock.json');
writeFileSync(target, `${JSON.stringify(lockOf(directory), null, 2)}\n`);
