import { join } from 'node:path';
import { type Layout, nodeCompileCache, repositoryRoot } from './layout.ts';
import type { ProcessSpec } from './process.ts';

/** The upstream simulator, which takes the place of a model provider behind LiteLLM. */
export function prepareUpstream(options: { port: number }, layout: Layout): ProcessSpec {
  const log = join(layout.logs, 'upstream.log');
  return {
    name: 'upstream',
    command: process.execPath,
    args: [join(repositoryRoot, 'test', 'upstream', 'main.ts')],
    env: { ...nodeCompileCache(layout), HOST: '127.0.0.1', PORT: String(options.port) },
    workingFolder: layout.state,
    port: options.port,
    health: { kind: 'http', url: `http://127.0.0.1:${options.port}/livez` },
    stdout: log,
    stderr: log,
    explainedBy: [log],
    startTimeoutMs: 30_000,
    stopTimeoutMs: 5000,
  };
}
