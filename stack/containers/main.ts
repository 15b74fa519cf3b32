/**
 * What `docker-compose.yml` runs first: writes into `/config` (or the folder that it is given) what the other containers are started with.
 * Secrets and keys are made once and stay; settings and models follow the environment, which is the user's `.env`.
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
  console.log(`written into ${folder}: ${written.join(', ')}`);
} catch (error) {
  if (!(error instanceof StackError || error instanceof ConfigError)) throw error;
  console.error(error.message);
  process.exit(1);
}
