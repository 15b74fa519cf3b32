/**
 * The first container of `docker-compose.yml`. It writes the configuration of the other containers to `/config`, or to the folder in
 * its argument. Secrets and keys are generated once and kept. Settings and models follow the environment, i.e. the user's `.env`.
 */
import { join, relative } from 'node:path';
import { ConfigError } from '../../shared/platform/config/load.ts';
import { StackError } from '../errors.ts';
import { repositoryRoot } from '../layout.ts';
import { prepareContainers } from './prepare.ts';

const folder = process.argv[2] ?? '/config';

try {
  const written = prepareContainers(folder, process.env, {
    fragments: relative(folder, join(repositoryRoot, 'deploy', 'litellm')),
    simulatorUrl: process.env['SIMULATOR_URL'] ?? 'http://simulator:14010',
  });
  console.log(`written to ${folder}: ${written.join(', ')}`);
} catch (error) {
  if (!(error instanceof StackError || error instanceof ConfigError)) throw error;
  console.error(error.message);
  process.exit(1);
}
