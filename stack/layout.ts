import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const repositoryRoot = resolve(import.meta.dirname, '..');

/** The folders of one stack. Two stacks (development, a test run) differ in `state` and share `cache`. */
export interface Layout {
  /** The parent folder of everything below except the cache. */
  readonly state: string;
  /** Downloads and Python environments; safe to share between clones and to delete. */
  readonly cache: string;
  /** The data of Kafka, Redis and the services. */
  readonly data: string;
  readonly logs: string;
  /** One record for each running process. */
  readonly run: string;
  /** The working folder of the services. */
  readonly workingFolder: string;
}

export function stateFolder(): string {
  return join(repositoryRoot, '.turnout');
}

/** The layout of the stack that `make up` starts. `TURNOUT_CACHE_DIR` lets CI and other clones share the downloads. */
export function developmentLayout(env: NodeJS.ProcessEnv): Layout {
  return layoutAt(stateFolder(), { cache: cacheFolder(env), workingFolder: repositoryRoot });
}

export function cacheFolder(env: NodeJS.ProcessEnv): string {
  const chosen = env['TURNOUT_CACHE_DIR'];
  return chosen === undefined || chosen === '' ? join(stateFolder(), 'cache') : resolve(chosen);
}

/** Lets Node keep compiled modules between starts. This saves a third of the CPU time until a service is ready. */
export function nodeCompileCache(layout: Layout): Record<string, string> {
  return { NODE_COMPILE_CACHE: join(layout.cache, 'node') };
}

export function layoutAt(state: string, options: { cache: string; workingFolder?: string }): Layout {
  const layout = {
    state,
    cache: options.cache,
    data: join(state, 'data'),
    logs: join(state, 'logs'),
    run: join(state, 'run'),
    workingFolder: options.workingFolder ?? state,
  };
  for (const folder of [layout.state, layout.cache, layout.data, layout.logs, layout.run]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
  return layout;
}
