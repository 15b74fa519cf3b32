import { userDigest } from '../ids.ts';

/**
 * Keys of the job Redis. A job's keys and its outbox row share one of 64 bucket tags, `{b00}` to `{b3f}`, so that every
 * script stays legal in Redis Cluster. What belongs to a user has a tag of his, made of his id's hash: no key names a user.
 */
const BUCKETS = 64;

export interface JobKeys {
  /** Hash: the job's record. */
  record(jobId: string): string;
  /** Stream: the job's log. Entry `<sequence>-0`. */
  log(jobId: string): string;
  /** Sorted set of the bucket's open jobs by deadline. */
  open(jobId: string): string;
  /** Stream of the bucket's outcomes that are not published yet. */
  outbox(jobId: string): string;
  /** The outbox streams of all buckets. */
  outboxes(): string[];
  /** String with an expiry: one process sweeps the outbox at a time. */
  outboxLease(): string;
  /** The completion hooks of the job's bucket. */
  hooks(jobId: string): HookKeys;
  /** The same of all buckets. */
  allHooks(): HookKeys[];
  /** The sets of open jobs of all buckets. */
  openSets(): string[];
  /** String with an expiry: one process sweeps at a time. */
  sweepLease(): string;
  /** String with an expiry: the process behind this channel lives. */
  readerLease(channel: string): string;
  /** Hash: partition -> the router's watermark. */
  watermarks(topic: string): string;
  /** String with an expiry: when this dead letter was sent again. */
  replayed(origin: string): string;
  /** Hash: id -> a webhook endpoint of the user's. */
  webhookEndpoints(user: string): string;
  /** Sorted set: the endpoint's deliveries by the time of their events. */
  webhookDeliveries(user: string, endpointId: string): string;
  /** Hash: id -> what became of that delivery. */
  webhookDeliveryRecords(user: string, endpointId: string): string;
  /** String with an expiry: a test of this endpoint is under way. */
  webhookTest(user: string, endpointId: string): string;
  /** String with an expiry: the secret that the user's entries in the cache hang on. */
  cacheVersion(user: string): string;
  /** Channel of the processes' live events: one per process. */
  channel(instance: string): string;
}

/** Jobs whose completion hooks wait. */
export interface HookKeys {
  /** Sorted set: by when they are run next. */
  due: string;
  /** Sorted set: by since when they wait. */
  since: string;
  /** Hash: job -> failed attempts and duties. */
  owed: string;
}

/** A user's files share the hash tag of one of the same buckets: the last digits of their ids are the user's. */
export interface FileKeys {
  /** Hash: the file's record. */
  record(fileId: string): string;
  /** Sorted set of the user's files, by id alone: the oldest first. */
  ofUser(user: string): string;
  /** Sorted set: those of them that expire, by when. */
  expiring(user: string): string;
  /** Hash: the bytes of each of them, and of all. */
  sizes(user: string): string;
  /** Sorted set: the user's stored answers, by when they expire. */
  answers(user: string): string;
  /** Hash: the bytes of each of them, and of all. */
  answerSizes(user: string): string;
  /** Sorted set of the user's bucket: files whose bytes will be removed, by when (`BlobKeys.removals`). */
  removals(user: string): string;
}

/** What the job Redis knows of the blob store. */
export interface BlobKeys {
  /** Hash: the identity that the blob store carries too, and where its sweep stands. */
  registry(): string;
  /** String with an expiry: one process sweeps the blob store at a time. */
  sweepLease(): string;
  /** Sorted set: the folders of one kind and bucket that will be removed, by the time from which their delay counts. */
  removals(kind: string, id: string): string;
  /** The same of all buckets. */
  allRemovals(kind: string): string[];
}

export function blobKeys(prefix: string): BlobKeys {
  const removalsOf = (bucket: number, kind: string) => `${prefix}:{${tag(bucket)}}:removals:${kind}`;
  return {
    registry: () => `${prefix}:blob-registry`,
    sweepLease: () => `${prefix}:blob-sweep`,
    removals: (kind, id) => removalsOf(bucketOf(id), kind),
    allRemovals: (kind) => Array.from({ length: BUCKETS }, (_, bucket) => removalsOf(bucket, kind)),
  };
}

export function fileKeys(prefix: string): FileKeys {
  const inBucket = (hex: string, kind: string) => `${prefix}:{${tag(bucketOf(hex))}}:${kind}:${hex}`;
  return {
    record: (fileId) => inBucket(fileId, 'file'),
    ofUser: (user) => inBucket(userDigest(user), 'files'),
    expiring: (user) => inBucket(userDigest(user), 'files-expiring'),
    sizes: (user) => inBucket(userDigest(user), 'files-sizes'),
    answers: (user) => inBucket(userDigest(user), 'answers'),
    answerSizes: (user) => inBucket(userDigest(user), 'answers-sizes'),
    removals: (user) => blobKeys(prefix).removals('files', userDigest(user)),
  };
}

export function jobKeys(prefix: string): JobKeys {
  const inBucket = (jobId: string, kind: string) => `${prefix}:{${tag(bucketOf(jobId))}}:${kind}`;
  const ofUser = (user: string, kind: string) => `${prefix}:{u-${userDigest(user)}}:${kind}`;
  const hooksOf = (bucket: number) => {
    const hooks = `${prefix}:{${tag(bucket)}}:hooks`;
    return { due: `${hooks}:due`, since: `${hooks}:since`, owed: `${hooks}:owed` };
  };
  const everyBucket = (kind: string) =>
    Array.from({ length: BUCKETS }, (_, bucket) => `${prefix}:{${tag(bucket)}}:${kind}`);
  return {
    record: (jobId) => `${inBucket(jobId, 'job')}:${jobId}`,
    log: (jobId) => `${inBucket(jobId, 'log')}:${jobId}`,
    open: (jobId) => inBucket(jobId, 'open'),
    outbox: (jobId) => inBucket(jobId, 'outbox'),
    outboxes: () => everyBucket('outbox'),
    outboxLease: () => `${prefix}:outbox-sweep`,
    hooks: (jobId) => hooksOf(bucketOf(jobId)),
    allHooks: () => Array.from({ length: BUCKETS }, (_, bucket) => hooksOf(bucket)),
    openSets: () => everyBucket('open'),
    sweepLease: () => `${prefix}:sweep`,
    readerLease: (channel) => `${channel}:alive`,
    watermarks: (topic) => `${prefix}:watermarks:${topic}`,
    replayed: (origin) => `${prefix}:replayed:${origin}`,
    webhookEndpoints: (user) => ofUser(user, 'webhooks'),
    webhookDeliveries: (user, endpointId) => `${ofUser(user, 'webhook-deliveries')}:${endpointId}`,
    webhookDeliveryRecords: (user, endpointId) => `${ofUser(user, 'webhook-delivery-records')}:${endpointId}`,
    webhookTest: (user, endpointId) => `${ofUser(user, 'webhook-test')}:${endpointId}`,
    cacheVersion: (user) => ofUser(user, 'cache-generation'),
    channel: (instance) => `${prefix}:live:${instance}`,
  };
}

/** The last six bits of the id: uniform, since ids are random, an HMAC or end in a hash. */
function bucketOf(hex: string): number {
  return Number.parseInt(hex.slice(-2), 16) % BUCKETS;
}

function tag(bucket: number): string {
  return `b${bucket.toString(16).padStart(2, '0')}`;
}
