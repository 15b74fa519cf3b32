import { HeadBucketCommand, S3Client, type S3ClientConfig, S3ServiceException } from '@aws-sdk/client-s3';
import { ConfigError } from '../config/load.ts';
import { type Config } from '../config/schema.ts';
import { type BlobStore } from './blob-store.ts';
import { createDiskBlobStore } from './disk-blob-store.ts';
import { createS3BlobStore } from './s3-blob-store.ts';

export type BlobStoreConfig = Pick<
  Config,
  | 'BLOB_STORE'
  | 'BLOB_DIR'
  | 'S3_BUCKET'
  | 'S3_PREFIX'
  | 'S3_REGION'
  | 'S3_ENDPOINT'
  | 'S3_FORCE_PATH_STYLE'
  | 'S3_ACCESS_KEY_ID'
  | 'S3_SECRET_ACCESS_KEY'
  | 'S3_SESSION_TOKEN'
>;

export interface OpenBlobStore extends BlobStore {
  close(): void;
}

/**
 * Creates the configured blob store. For S3 it checks the bucket at once, so that a wrong name or missing credentials stop the
 * process at start. Throws `ConfigError`.
 */
export async function createBlobStore(config: BlobStoreConfig): Promise<OpenBlobStore> {
  if (config.BLOB_STORE === 'disk')
    return { ...createDiskBlobStore(config.BLOB_DIR), close: () => undefined };
  const bucket = requiredBucket(config);
  const client = new S3Client(clientConfig(config));
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }));
  } catch (error) {
    client.destroy();
    throw new ConfigError([whyUnusable(error, bucket)]);
  }
  const prefix = config.S3_PREFIX === undefined ? '' : `${config.S3_PREFIX}/`;
  return { ...createS3BlobStore({ client, bucket, prefix }), close: () => client.destroy() };
}

function requiredBucket({ S3_BUCKET, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY }: BlobStoreConfig): string {
  const problems = [
    ...(S3_BUCKET === undefined ? ['S3_BUCKET is not set; BLOB_STORE=s3 requires it'] : []),
    ...((S3_ACCESS_KEY_ID === undefined) === (S3_SECRET_ACCESS_KEY === undefined)
      ? []
      : ['S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY must be set together: set both or neither']),
  ];
  if (S3_BUCKET === undefined || problems.length > 0) throw new ConfigError(problems);
  return S3_BUCKET;
}

function clientConfig(config: BlobStoreConfig): S3ClientConfig {
  return {
    region: config.S3_REGION,
    forcePathStyle: config.S3_FORCE_PATH_STYLE,
    // Blobs carry their own SHA-256, and not every compatible store supports the SDK's newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: 3_000, socketTimeout: 30_000 },
    ...(config.S3_ENDPOINT === undefined ? {} : { endpoint: config.S3_ENDPOINT }),
    ...ownCredentials(config),
  };
}

/** Credentials from the settings. Without them the SDK uses its own chain: environment, profile, web identity, instance. */
function ownCredentials(config: BlobStoreConfig): Pick<S3ClientConfig, 'credentials'> {
  const { S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey } = config;
  if (accessKeyId === undefined || secretAccessKey === undefined) return {};
  const { S3_SESSION_TOKEN: sessionToken } = config;
  return {
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
  };
}

function whyUnusable(error: unknown, bucket: string): string {
  const named = `S3_BUCKET: "${bucket}"`;
  if (!(error instanceof S3ServiceException)) {
    const { name, message } = error as Error;
    return name === 'CredentialsProviderError'
      ? `${named} needs credentials, and none were found: set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, or provide credentials to the AWS SDK`
      : `${named} cannot be reached; check S3_ENDPOINT and S3_REGION: ${message}`;
  }
  const status = error.$metadata.httpStatusCode;
  if (status === 404) return `${named} does not exist; check S3_ENDPOINT and S3_REGION`;
  if (status === 403) return `${named} cannot be accessed: the credentials are wrong or lack permission`;
  return `${named} cannot be used: the store answered ${String(status)} ${error.name}`;
}
