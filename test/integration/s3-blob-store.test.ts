import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { type BlobStoreConfig, createBlobStore } from '../../shared/platform/blobs/create-blob-store.ts';
import { parseConfig } from '../../shared/platform/config/load.ts';
import { blobStoreConformance } from '../conformance/blob-store.ts';
import { testEnv } from '../harness/env.ts';
import { freePort } from '../../stack/ports.ts';
import { BUCKET, type RunningS3, startS3 } from '../harness/s3.ts';

jest.setTimeout(60_000);

let s3: RunningS3;

beforeAll(async () => {
  s3 = await startS3();
}, 120_000);

afterAll(() => s3.stop());

function configOf(changes: Record<string, string> = {}): BlobStoreConfig {
  return parseConfig({ ...testEnv(), LITELLM_MASTER_KEY: 'none', ...s3.env, ...changes });
}

async function setUp() {
  const prefix = `test-${randomBytes(4).toString('hex')}`;
  const store = await createBlobStore(configOf({ S3_PREFIX: prefix }));
  const rewrite = async (name: string, change: (bytes: Buffer) => Buffer) => {
    const at = { Bucket: BUCKET, Key: `${prefix}/${name}` };
    const { Body } = await s3.client.send(new GetObjectCommand(at));
    const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
    await s3.client.send(new PutObjectCommand({ ...at, Body: change(bytes) }));
  };
  return {
    prefix,
    store,
    damage: (name: string) => rewrite(name, (bytes) => Buffer.concat([bytes.subarray(1), Buffer.from('x')])),
    shorten: (name: string) => rewrite(name, (bytes) => bytes.subarray(0, -1)),
    cleanUp: () => {
      store.close();
      return Promise.resolve();
    },
  };
}

blobStoreConformance('S3', setUp);

describe('the S3 blob store', () => {
  test('an interrupted stream leaves no multipart upload in the bucket', async () => {
    const { store, cleanUp } = await setUp();
    async function* body() {
      yield* Array.from({ length: 12 }, () => randomBytes(1024 * 1024));
      throw await Promise.resolve(new Error('the client hung up'));
    }
    await expect(store.putStream('files/1/content', body(), Infinity)).rejects.toThrow('hung up');
    const { Uploads = [] } = await s3.client.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }));
    expect(Uploads).toEqual([]);
    await cleanUp();
  });

  test('a folder with more objects than one page of the listing is removed completely', async () => {
    const { store, prefix, cleanUp } = await setUp();
    for (let first = 0; first < 1_100; first += 100)
      await Promise.all(Array.from({ length: 100 }, (_, i) => store.put(`jobs/1/${first + i}`, 'x')));
    await store.removeFolder('jobs/1');
    const { KeyCount } = await s3.client.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: prefix }));
    expect(KeyCount).toBe(0);
    await cleanUp();
  });
});

describe('an unusable store stops the process at its start with a reason', () => {
  test.each<[string, () => Record<string, string>, RegExp]>([
    ['no bucket', () => ({ S3_BUCKET: '' }), /S3_BUCKET is not set/],
    ['half of the credentials', () => ({ S3_SECRET_ACCESS_KEY: '' }), /S3_ACCESS_KEY_ID and/],
    ['a bucket that does not exist', () => ({ S3_BUCKET: 'nowhere' }), /"nowhere" does not exist/],
    ['no credentials', () => ({ S3_ACCESS_KEY_ID: '', S3_SECRET_ACCESS_KEY: '' }), /needs credentials/],
  ])('%s', async (_what, changes, message) => {
    process.env['AWS_EC2_METADATA_DISABLED'] = 'true';
    await expect(createBlobStore(configOf(changes()))).rejects.toThrow(message);
    delete process.env['AWS_EC2_METADATA_DISABLED'];
  });

  test('an unreachable server', async () => {
    const S3_ENDPOINT = `http://127.0.0.1:${await freePort(new Set())}`;
    await expect(createBlobStore(configOf({ S3_ENDPOINT }))).rejects.toThrow(/cannot be reached/);
  });
});
