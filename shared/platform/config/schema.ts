import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { flagTexts, percentage } from './flags.ts';
import { retrievalSources } from './retrieval-sources.ts';

/** Every environment variable that a service reads, with its default. Times are in milliseconds, sizes in bytes. */
const whole = z.string().regex(/^\d+$/, 'must be a whole number, in digits').transform(Number);
const port = whole.pipe(z.int().max(65_535));
const countUpTo = (max: number) => whole.pipe(z.int().min(1).max(max));
const count = countUpTo(Number.MAX_SAFE_INTEGER);
const milliseconds = count;
const DAY_MS = 86_400_000;
const flag = z.stringbool();
/** At most the lifetime of a cache version (30 days), on which all entries of a user depend. */
const cacheLifetime = milliseconds.pipe(z.int().max(30 * DAY_MS));
const cacheKey = z.string().min(32, 'must be keys of at least 32 characters, comma-separated');
const url = z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' });
const redisUrl = z.url({ protocol: /^rediss?$/, error: 'must be a redis(s):// URL' });
/** `redis+cluster://`: any node of a Redis Cluster; the client discovers the others from it. */
const jobRedisUrl = z.url({
  protocol: /^rediss?(\+cluster)?$/,
  error: 'must be a redis(s):// or redis(s)+cluster:// URL',
});
function isNetwork(text: string): boolean {
  return text.includes('/') ? ipaddr.isValidCIDR(text) : ipaddr.isValid(text);
}
const claim = z.string().regex(/^[\w:./-]{1,200}$/, 'must be the name of a claim');
const name = z.string().regex(/^[a-z][a-z0-9-]{0,40}$/, 'must be a-z, 0-9 and -, starting with a letter');

export const configSchema = z.object({
  /** The least severe log lines that are written. */
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  /** A file that gets every log line as well as standard output. */
  LOG_FILE: z.string().min(1).optional(),
  /** The address that the service listens on. */
  HOST: z.string().min(1).default('127.0.0.1'),
  /** The port that the service listens on; 0 selects a free port. */
  PORT: port.default(0),
  /** Addresses and networks of the load balancers in front of the ingress, comma-separated. Their `X-Forwarded-For` is trusted. */
  TRUSTED_PROXIES: z
    .string()
    .optional()
    .transform((list) =>
      (list ?? '')
        .split(',')
        .map((one) => one.trim())
        .filter((one) => one !== ''),
    )
    .refine((list) => list.every(isNetwork), 'must be IP addresses or CIDR networks, comma-separated'),
  /** How long a stopping service may take to finish its work before it exits. */
  SHUTDOWN_TIMEOUT_MS: milliseconds.default(20_000),
  /** How long a stopping ingress still accepts connections while it reports not ready. */
  LAME_DUCK_MS: whole.default(250),

  /** Kafka brokers, `host:port`, comma-separated. */
  KAFKA_BROKERS: z
    .string()
    .regex(/^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$/, 'must be host:port[,host:port]')
    .default('127.0.0.1:9092')
    .transform((brokers) => brokers.split(',')),
  /** Prefix of the names of topics and consumer groups. */
  TOPIC_PREFIX: name.default('turnout'),
  /** Replication factor of the topics that Turnout creates; unset: the brokers' default. */
  TOPIC_REPLICATION: countUpTo(10).optional(),
  /** Partitions of the topics of jobs and events, when a service creates them. */
  JOB_PARTITIONS: countUpTo(1_000).default(6),
  /** What a router does with a partition that was routed before if the job Redis has lost its position. */
  ON_LOST_POSITION: z.enum(['stop', 'replay', 'skip']).default('stop'),

  /** The job Redis: job records, logs, queues and the scheduler. */
  REDIS_URL: jobRedisUrl.default('redis://127.0.0.1:6379'),
  /** The cache's Redis. */
  CACHE_REDIS_URL: redisUrl.default('redis://127.0.0.1:6380'),
  /** Prefix of all keys in both Redis servers. */
  REDIS_PREFIX: name.default('turnout'),

  /** Where large bodies and users' files are stored. */
  BLOB_STORE: z.enum(['disk', 's3']).default('disk'),
  /** The folder of the blob store with `BLOB_STORE=disk`; all services must share it. */
  BLOB_DIR: z.string().min(1).default('.turnout/data/blobs'),
  /** The bucket of the blob store with `BLOB_STORE=s3`. */
  S3_BUCKET: z.string().min(1).optional(),
  /** A folder in the bucket. */
  S3_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/, 'must be folders of A-Z a-z 0-9 _ -, joined by /')
    .optional(),
  /** The bucket's region. */
  S3_REGION: z.string().min(1).default('us-east-1'),
  /** The address of an S3-compatible store; unset: AWS. */
  S3_ENDPOINT: url.optional(),
  /** True: the bucket is part of the path instead of the host name. */
  S3_FORCE_PATH_STYLE: flag.default(false),
  /** Credentials of the bucket; unset: the AWS default chain. */
  S3_ACCESS_KEY_ID: z.string().min(1).optional(),
  /** Belongs to `S3_ACCESS_KEY_ID`. */
  S3_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  /** Belongs to temporary credentials. */
  S3_SESSION_TOKEN: z.string().min(1).optional(),

  /** The LiteLLM proxy. */
  LITELLM_URL: url.default('http://127.0.0.1:4000'),
  /** The key that Turnout sends to LiteLLM. */
  LITELLM_MASTER_KEY: z.string().min(1),
  /** The provider of the legacy backend; unset: there is no legacy backend. */
  LEGACY_BASE_URL: url.optional(),
  /** The key that Turnout sends to the legacy backend. */
  LEGACY_API_KEY: z.string().min(1).optional(),
  /** `azure`: the base URL is that of the Azure resource, and model names are deployment names. */
  LEGACY_STYLE: z.enum(['openai', 'azure']).default('openai'),
  /** The `api-version` of Azure OpenAI, with `LEGACY_STYLE=azure`. */
  LEGACY_API_VERSION: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}(-preview)?$/, 'must be a date: 2024-10-21')
    .default('2024-10-21'),
  /** Model of the legacy provider that selects the assistant if the client does not. Unset: selection without a model, as on LiteLLM. */
  LEGACY_ROUTER_MODEL: z.string().min(1).max(200).optional(),
  /** How long `LEGACY_ROUTER_MODEL` may take to choose an assistant. */
  LEGACY_ROUTER_TIMEOUT_MS: milliseconds.pipe(z.int().max(30_000)).default(3_000),
  /** Whether jobs that fail on LiteLLM fall back to the legacy backend. */
  LEGACY_FALLBACK: flag.default(true),
  ...flagTexts,
  /** How often a router logs the flags in force and its decisions. */
  FLAG_METRICS_MS: milliseconds.pipe(z.int().max(DAY_MS)).default(60_000),

  /** Secret for job ids of idempotency keys, for user hashes, and for the encryption of webhook secrets. The same in all services. */
  TURNOUT_SECRET: z.string().min(32, 'must have at least 32 characters'),
  /** Bearer key of the admin routes; unset: only admin API keys and the admin group may use them. */
  TURNOUT_ADMIN_KEY: z.string().min(16, 'must have at least 16 characters').optional(),
  /** A JSON file of API keys that work in addition to those in Redis. */
  API_KEYS_FILE: z.string().min(1).default('.turnout/api-keys.json'),
  /** File with each user's permissions and limits; unset: no restrictions. */
  POLICY_FILE: z.string().min(1).optional(),
  /** Identity provider whose tokens are accepted in addition to API keys; must equal their `iss`. */
  OIDC_ISSUER: url.optional(),
  /** URL of its public keys; unset: taken from its discovery document. */
  OIDC_JWKS_URL: url.optional(),
  /** Accepted audiences: the `aud` of a token, or the `client_id` of a Cognito access token. */
  OIDC_AUDIENCES: z
    .string()
    .optional()
    .transform((names) =>
      (names ?? '')
        .split(',')
        .map((one) => one.trim())
        .filter((one) => one !== ''),
    ),
  /** The token's claim that holds the user's id. */
  OIDC_USER_CLAIM: claim.default('sub'),
  /** Prefix of the user ids made from the claim; unset: the issuer's host and path; `none`: no prefix. */
  OIDC_USER_PREFIX: z
    .string()
    .regex(/^[\x21-\x7e]{1,100}$/, 'must be 1 to 100 visible characters')
    .optional(),
  /** The token's claim that holds the user's groups. */
  OIDC_GROUPS_CLAIM: claim.default('groups'),
  /** Members of this group may use the admin routes. */
  OIDC_ADMIN_GROUP: z.string().min(1).max(200).optional(),
  /** Tolerated difference between the provider's clock and this one. Seconds. */
  OIDC_CLOCK_SKEW_S: whole.pipe(z.int().max(600)).default(30),

  /** Further parameters of a chat completion that are passed through to LiteLLM. */
  PASS_PARAMETERS: z
    .string()
    .regex(/^[A-Za-z0-9_]+(,[A-Za-z0-9_]+)*$/, 'must be names, comma-separated')
    .optional()
    .transform((names) => names?.split(',') ?? []),
  /** The largest request body, without uploads. */
  MAX_BODY_BYTES: count.default(32 * 1024 * 1024),
  /** The largest uploaded file. */
  MAX_FILE_BYTES: countUpTo(512 * 1024 * 1024).default(64 * 1024 * 1024),
  /** The most uploaded files of one user. */
  MAX_FILES_PER_USER: countUpTo(1_000_000).default(10_000),
  /** Total size of the requests and documents of one user's open jobs; the policy's `queued_bytes` overrides it. */
  MAX_OPEN_BYTES_PER_USER: count.default(256 * 1024 * 1024),
  /** Total size of a user's uploaded files and stored answers; the policy's `stored_bytes` overrides it. */
  MAX_STORED_BYTES_PER_USER: count.default(10 * 1024 * 1024 * 1024),
  /** How many stored answers a user may have. Each takes about 250 bytes of the job Redis. */
  MAX_STORED_ANSWERS_PER_USER: countUpTo(10_000_000).default(100_000),
  /** How long the bytes of a deleted or expired file are kept for jobs that use it. Default: the longest deadline plus one hour. */
  FILE_GRACE_MS: milliseconds.default(90_000_000),
  /** CPU time limit for reading one document. */
  EXTRACT_CPU_MS: milliseconds.default(10_000),
  /** Time limit for reading one document. */
  EXTRACT_TIMEOUT_MS: milliseconds.default(60_000),
  /** Memory limit for reading one document. MiB. */
  EXTRACT_MEMORY_MB: countUpTo(16_384).default(512),
  /** The most text of one document. */
  EXTRACT_MAX_TEXT_BYTES: countUpTo(256 * 1024 * 1024).default(32 * 1024 * 1024),
  /** Documents of one user that one context-worker reads at a time. One more reader stays free for other users. */
  EXTRACT_CONCURRENCY: countUpTo(64).default(2),
  /** The deadline of a job whose request sets none. */
  DEFAULT_DEADLINE_MS: milliseconds.default(600_000),
  /** How long an ended job's record and log stay in the job Redis. */
  LOG_RETENTION_MS: milliseconds.default(3_600_000),
  /** How long a stored response is kept after it has ended. */
  RESPONSE_RETENTION_MS: milliseconds.default(30 * 86_400_000),
  /** How long finished BullMQ jobs are kept. A Kafka message that is redelivered within this time adds no second job. */
  KEEP_FINISHED_MS: milliseconds.default(3_600_000),
  /** Jobs that one llm-worker runs at a time. */
  LLM_CONCURRENCY: countUpTo(10_000).default(256),
  /** The most jobs of all users that may wait or run; further jobs are rejected. */
  MAX_OPEN_JOBS: countUpTo(10_000_000).default(50_000),
  /** Memory limit of a job Redis without `maxmemory`, in bytes. Near it, new jobs are rejected. */
  REDIS_MAX_BYTES: count.optional(),
  /** Disk limit for the job Redis's append-only file, in bytes. Near it, new jobs are rejected. */
  REDIS_MAX_DISK_BYTES: count.optional(),
  /** An interactive job is rejected at admission if it would wait longer than this in the queue. */
  INTERACTIVE_MAX_WAIT_MS: milliseconds.pipe(z.int().max(DAY_MS)).default(60_000),
  /** Percent of jobs dispatched to BullMQ beyond the workers' slots, so that a free slot finds a job at once. */
  SCHEDULER_AHEAD_PERCENT: percentage.default(10),
  /** The most slots that one user's jobs may occupy, in percent of all workers' slots. The rest stays free for other users. */
  SCHEDULER_USER_PERCENT: percentage.pipe(z.int().min(1)).default(90),
  /** Percent of all workers' slots that background and batch jobs may not occupy; they are reserved for interactive jobs. */
  SCHEDULER_INTERACTIVE_PERCENT: percentage.pipe(z.int().max(99)).default(20),
  /** How long interactive jobs may overtake a background or batch job that is next in its user's queue. */
  SCHEDULER_AGEING_MS: milliseconds.pipe(z.int().max(DAY_MS)).default(30_000),
  /** Pieces of context that one context-worker prepares at a time. */
  CONTEXT_CONCURRENCY: countUpTo(10_000).default(32),
  /** Model -> models to fall back to, in order: `{"gpt-5":["gpt-5-mini"]}`. */
  MODEL_FALLBACKS: z
    .string()
    .default('{}')
    .transform((text, context) => parseJson(text, context))
    .pipe(z.record(z.string(), z.array(z.string()))),
  /** Calls to one model on one backend in one attempt, before the next fallback is tried. */
  MAX_CALLS_PER_MODEL: countUpTo(20).default(3),
  /** How long an unreachable model without a fallback is retried; long enough for a restart of the proxy. */
  UNREACHABLE_GRACE_MS: whole.default(30_000),
  /** A job that workers have begun more often than this presumably crashes them, and fails. */
  MAX_ATTEMPTS: countUpTo(100).default(6),
  /** How long a model may take to send its first token. */
  FIRST_TOKEN_TIMEOUT_MS: milliseconds.default(120_000),
  /** How long a model may pause between two tokens. */
  TOKEN_TIMEOUT_MS: milliseconds.default(30_000),
  /** Whether a job whose worker was lost in the middle of an answer is continued by another worker, or fails. */
  ON_LOST_ATTEMPT: z.enum(['continue', 'fail']).default('continue'),
  /** Tokens that all documents of a request may fill in the prompt. */
  CONTEXT_TOKENS: count.default(6_000),
  /** LiteLLM's name of an embedding model; unset: passages are ranked by the words of the question alone. */
  EMBEDDING_MODEL: z.string().min(1).max(200).optional(),
  /** Time limit for all embeddings of one document; after it, passages are ranked by words alone. */
  EMBEDDING_TIMEOUT_MS: milliseconds.pipe(z.int().max(60_000)).default(1_500),
  /** Folder of YAML files, one for each assistant. */
  ASSISTANTS_DIR: z.string().min(1).default('deploy/assistants'),
  /** `always`: a request that does not mention assistants gets a matching one, if any. `asked`: only if the client asks. */
  ASSISTANT_SELECTION: z.enum(['asked', 'always']).default('asked'),
  /** Model for requests with model `auto` if their assistant names no model. */
  ASSISTANT_DEFAULT_MODEL: z.string().min(1).max(200).optional(),
  /** The most tokens that a request's messages may use; unset: the model's context window. */
  HISTORY_TOKENS: countUpTo(10_000_000).optional(),
  /** Retrieval services, as JSON: `[{"name":"wiki","url":"https://...","always":true}]`. */
  RETRIEVAL_SOURCES: z
    .string()
    .default('[]')
    .transform((text, context) => parseJson(text, context))
    .pipe(retrievalSources),
  /** How many requests to retrieval services one worker process may have open at once. */
  SOURCE_CONCURRENCY: countUpTo(10_000).default(256),

  /** Secrets for the names and the encryption of cache entries, newest first; unset: TURNOUT_SECRET. */
  CACHE_KEYS: z
    .string()
    .transform((keys) => keys.split(','))
    .pipe(z.tuple([cacheKey], cacheKey))
    .optional(),
  /**
   * Which answers are cached, by the sampling parameters of the request. `fixed`: temperature 0, `top_p` 0 or a seed;
   * `unasked`: also requests without sampling parameters; `any`: all.
   */
  CACHE_SAMPLING: z.enum(['fixed', 'unasked', 'any']).default('unasked'),
  /** How long answers are cached. */
  CACHE_ANSWER_TTL_MS: cacheLifetime.default(3_600_000),
  /** How long passages of retrieval services are cached. */
  CACHE_RAG_TTL_MS: cacheLifetime.default(600_000),
  /** The most entries of all users. */
  CACHE_MAX_ENTRIES: count.default(100_000),
  /** The most bytes of all users' entries. */
  CACHE_MAX_BYTES: count.default(64 * 1024 * 1024),
  /** The most entries of one user. */
  CACHE_USER_MAX_ENTRIES: count.default(1_000),
  /** The most bytes of one user's entries. */
  CACHE_USER_MAX_BYTES: count.default(4 * 1024 * 1024),
  /** In percent of one user's limits. Users below it are never evicted for others. */
  CACHE_USER_FLOOR_PERCENT: percentage.default(10),
  /** Time limit of a look-up; after it, the look-up counts as a miss. */
  CACHE_TIMEOUT_MS: countUpTo(1_000).default(20),
  /** How often the cache service removes expired entries. */
  CACHE_SWEEP_MS: milliseconds.pipe(z.int().max(DAY_MS)).default(10_000),
  /** How often the cache service logs its statistics. */
  CACHE_STATS_MS: milliseconds.pipe(z.int().max(DAY_MS)).default(60_000),

  /** Time limit of one delivery attempt to a webhook endpoint. */
  WEBHOOK_TIMEOUT_MS: milliseconds.pipe(z.int().max(60_000)).default(15_000),
  /** For how long a failed delivery is tried again. */
  WEBHOOK_RETRY_MS: milliseconds.pipe(z.int().max(30 * DAY_MS)).default(3 * DAY_MS),
  /** How many deliveries one context-worker makes at once. */
  WEBHOOK_CONCURRENCY: countUpTo(10_000).default(256),
  /** True: endpoints may have `http:` addresses. */
  WEBHOOK_ALLOW_HTTP: flag.default(false),
  /** True: endpoints may have private addresses. */
  WEBHOOK_ALLOW_PRIVATE: flag.default(false),
});

function parseJson(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'must be JSON' });
    return z.NEVER;
  }
}

export type Config = Readonly<z.infer<typeof configSchema>>;
