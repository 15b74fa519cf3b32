import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { ensureVenv } from '../../stack/install/python.ts';
import { startLocalServer } from '../../stack/local-server.ts';
import { testEnv } from './env.ts';
import { layoutOfServices } from './state.ts';

export interface RunningS3 {
  /** The environment variables that make a service use this bucket. */
  readonly env: Readonly<Record<string, string>>;
  readonly client: S3Client;
  /** Stops the server, which discards its data. Safe to call again. */
  stop(): Promise<void>;
}

export const BUCKET = 'turnout-test';

/** Starts Moto's S3 server (Apache 2.0, hash-pinned from PyPI) in its own process, with one bucket. It keeps everything in memory. */
export async function startS3(): Promise<RunningS3> {
  const layout = layoutOfServices(testEnv().TURNOUT_TEST_STATE, `s3-${randomBytes(4).toString('hex')}`);
  const say = (line: string) => console.error(`[stack] ${line}`);
  const venv = await ensureVenv('s3', ['s3'], { cache: layout.cache, say });
  const server = await startLocalServer(
    {
      name: 's3',
      command: join(venv, 'bin', 'moto_server'),
      args: (port) => ['--host', '127.0.0.1', '--port', String(port)],
      healthPath: '/moto-api/',
    },
    layout,
  );
  const client = await clientWithBucket(server.url);
  return {
    env: s3Env(server.url),
    client,
    stop: async () => {
      client.destroy();
      await server.stop();
    },
  };
}

function s3Env(endpoint: string): Record<string, string> {
  return {
    BLOB_STORE: 's3',
    S3_BUCKET: BUCKET,
    S3_ENDPOINT: endpoint,
    S3_FORCE_PATH_STYLE: 'true',
    S3_ACCESS_KEY_ID: 'test',
    S3_SECRET_ACCESS_KEY: 'test',
  };
}

async function clientWithBucket(endpoint: string): Promise<S3Client> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  return client;
}
