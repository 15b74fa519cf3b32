import { userDigest } from '../ids.ts';

/**
 * Keys of the job Redis. A job's keys and its outbox row share one of 64 bucket hash tags, `{b00}` to `{b3f}`, so that scripts work in
 * Redis Cluster. A user's own keys share a hash tag that is made from a hash of the user id; no key contains a user id.
 */
const BUCKETS = 64;

export interface JobKeys {
  /** Hash: the job record. */
  record(jobId: string): string;
  /** Stream: the job log. Entries have the id `<sequence>-0`. */
  log(jobId: string): string;
  /** Sorted set of the bucket's open jobs by deadline. */
  open(jobId: string): string;
  /** Stream: the bucket's outcomes that are not published yet. */
  outbox(jobId: string): string;
  /** The outbox streams of all buckets. */
  outboxes(): string[];
  /** String with an expiry: the lease of the one process that sweeps the outboxes. */
  outboxLease(): string;
  /** Keys for the completion hooks of the job's bucket. */
  hooks(jobId: string): HookKeys;
  /** The same for all buckets. */
  allHooks(): HookKeys[];
  /** The sets of open jobs of all buckets. */
  openSets(): string[];
  /** String with an expiry: the lease of the one process that sweeps overdue jobs. */
  sweepLease(): string;
  /** String with an expiry: exists while the process that reads this channel is alive. */
  readerLease(channel: string): string;
  /** Hash: partition -> the router's watermark. */
  watermarks(topic: string): string;
  /** String with an expiry: when this dead letter was replayed. */
  replayed(origin: string): string;
  /** Hash: id -> webhook endpoint of the user. */
  webhookEndpoints(user: string): string;
  /** Sorted set: the endpoint's deliveries by the time of their events. */
  webhookDeliveries(user: string, endpointId: string): string;
  /** Hash: id -> result of the delivery. */
  webhookDeliveryRecords(user: string, endpointId: string): string;
  /** String with an expiry: exists while a test of this endpoint runs. */
  webhookTest(user: string, endpointId: string): string;
  /** String with an expiry: the user's cache version, from which the keys of all their cache entries are derived. */
  cacheVersion(user: string): string;
  /** Pub/sub channel for live events; each process has one. */
  channel(instance: string): string;
}

/** Keys for the jobs with pending completion hooks. */
export interface HookKeys {
  /** Sorted set of jobs by the time of the next run. */
  due: string;
  /** Sorted set of jobs by the time since which they wait. */
  since: string;
  /** Hash: job -> number of failed attempts, and the pending hooks. */
  owed: string;
}

/** Keys of a user's files. They share one bucket's hash tag, because the file ids end with the last digits of the user's digest. */
export interface FileKeys {
  /** Hash: the file record. */
  record(fileId: string): string;
  /** Sorted set of the user's files, ordered by id and thus oldest first. */
  ofUser(user: string): string;
  /** Sorted set of the user's files that expire, by expiry time. */
  expiring(user: string): string;
  /** Hash: the size of each file and the total, in bytes. */
  sizes(user: string): string;
  /** Sorted set of the user's stored answers, by expiry time. */
  answers(user: string): string;
  /** Hash: the size of each stored answer and the total, in bytes. */
  answerSizes(user: string): string;
  /** Sorted set of the user's bucket: files whose bytes will be removed, by time (`BlobKeys.removals`). */
  removals(user: string): string;
}

/** Keys for the job Redis's data about the blob store. */
export interface BlobKeys {
  /** Hash: the identity shared with the blob store, and the position of the sweep. */
  registry(): string;
  /** String with an expiry: the lease of the one process that sweeps the blob store. */
  sweepLease(): string;
  /** Sorted set of the folders of one kind and bucket that will be removed, by the start of their delay. */
  removals(kind: string, id: string): string;
  /** The same for all buckets. */
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

/** The last six bits of the id. They are uniformly distributed, because ids are random, an HMAC, or end with a hash. */
function bucketOf(hex: string): number {
  return Number.parseInt(hex.slice(-2), 16) % BUCKETS;
}

function tag(bucket: number): string {
  return `b${bucket.toString(16).padStart(2, '0')}`;
}
