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
/** Shorter than the generations that entries hang on (30 days). */
const cacheLifetime = milliseconds.pipe(z.int().max(30 * DAY_MS));
const cacheKey = z.string().min(32, 'must be keys of at least 32 characters, comma-separated');
const url = z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' });
const redisUrl = z.url({ protocol: /^rediss?$/, error: 'must be a redis(s):// URL' });
/** `redis+cluster://`: one node of a Redis Cluster, which tells the others. */
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
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  LOG_FILE: z.string().min(1).optional(),
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: port.default(0),
  /** Load balancers before the ingress: addresses and networks, comma-separated. Their `X-Forwarded-For` names the client. */
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
  SHUTDOWN_TIMEOUT_MS: milliseconds.default(20_000),
  /** How long an ingress that is asked to stop still accepts connections, unready. */
  LAME_DUCK_MS: whole.default(250),

  KAFKA_BROKERS: z
    .string()
    .regex(/^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$/, 'must be host:port[,host:port]')
    .default('127.0.0.1:9092')
    .transform((brokers) => brokers.split(',')),
  TOPIC_PREFIX: name.default('turnout'),
  /** Copies of each partition of the topics that are created, on as many brokers; unset: the brokers' default. */
  TOPIC_REPLICATION: countUpTo(10).optional(),
  JOB_PARTITIONS: countUpTo(1_000).default(6),
  /** What a router does with a partition that was routed before and of whose position the job Redis knows nothing. */
  ON_LOST_POSITION: z.enum(['stop', 'replay', 'skip']).default('stop'),

  REDIS_URL: jobRedisUrl.default('redis://127.0.0.1:6379'),
  CACHE_REDIS_URL: redisUrl.default('redis://127.0.0.1:6380'),
  REDIS_PREFIX: name.default('turnout'),

  /** Where bodies too large for a message and users' files are kept. */
  BLOB_STORE: z.enum(['disk', 's3']).default('disk'),
  BLOB_DIR: z.string().min(1).default('.turnout/data/blobs'),
  S3_BUCKET: z.string().min(1).optional(),
  /** A folder in the bucket. */
  S3_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/, 'must be folders of A-Z a-z 0-9 _ -, joined by /')
    .optional(),
  S3_REGION: z.string().min(1).default('us-east-1'),
  S3_ENDPOINT: url.optional(),
  S3_FORCE_PATH_STYLE: flag.default(false),
  S3_ACCESS_KEY_ID: z.string().min(1).optional(),
  S3_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  S3_SESSION_TOKEN: z.string().min(1).optional(),

  LITELLM_URL: url.default('http://127.0.0.1:4000'),
  LITELLM_MASTER_KEY: z.string().min(1),
  LEGACY_BASE_URL: url.optional(),
  LEGACY_API_KEY: z.string().min(1).optional(),
  /** `azure`: the base URL is the resource's, and a model's name is that of its deployment. */
  LEGACY_STYLE: z.enum(['openai', 'azure']).default('openai'),
  LEGACY_API_VERSION: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}(-preview)?$/, 'must be a date: 2024-10-21')
    .default('2024-10-21'),
  /** Of the legacy provider: chooses the assistant of a request that leaves the choice to us. Unset: its words do, as on LiteLLM. */
  LEGACY_ROUTER_MODEL: z.string().min(1).max(200).optional(),
  LEGACY_ROUTER_TIMEOUT_MS: milliseconds.pipe(z.int().max(30_000)).default(3_000),
  /** Whether the legacy path answers what LiteLLM fails to. */
  LEGACY_FALLBACK: flag.default(true),
  ...flagTexts,
  /** How often a router tells the flags in force, and what it decided by them. */
  FLAG_METRICS_MS: milliseconds.pipe(z.int().max(DAY_MS)).default(60_000),

  TURNOUT_SECRET: z.string().min(32, 'must have at least 32 characters'),
  TURNOUT_ADMIN_KEY: z.string().min(16, 'must have at least 16 characters').optional(),
  API_KEYS_FILE: z.string().min(1).default('.turnout/api-keys.json'),
  /** Who may do how much; unset: everybody may do everything. */
  POLICY_FILE: z.string().min(1).optional(),
  /** The identity provider whose tokens are taken beside API keys, as their `iss` has it. */
  OIDC_ISSUER: url.optional(),
  /** Its public keys; unset: those that its discovery document names. */
  OIDC_JWKS_URL: url.optional(),
  /** Whom a token must be for: its `aud`, or the `client_id` of a Cognito access token. */
  OIDC_AUDIENCES: z
    .string()
    .optional()
    .transform((names) =>
      (names ?? '')
        .split(',')
        .map((one) => one.trim())
        .filter((one) => one !== ''),
    ),
  OIDC_USER_CLAIM: claim.default('sub'),
  /** Before the claim in the ids of the provider's users; unset: the issuer's host and path; `none`: nothing. */
  OIDC_USER_PREFIX: z
    .string()
    .regex(/^[\x21-\x7e]{1,100}$/, 'must be 1 to 100 visible characters')
    .optional(),
  OIDC_GROUPS_CLAIM: claim.default('groups'),
  /** The admin routes answer to its members. */
  OIDC_ADMIN_GROUP: z.string().min(1).max(200).optional(),
  OIDC_CLOCK_SKEW_S: whole.pipe(z.int().max(600)).default(30),

  /** Parameters of a chat completion, beside those that are known, that go on to LiteLLM. */
  PASS_PARAMETERS: z
    .string()
    .regex(/^[A-Za-z0-9_]+(,[A-Za-z0-9_]+)*$/, 'must be names, comma-separated')
    .optional()
    .transform((names) => names?.split(',') ?? []),
  MAX_BODY_BYTES: count.default(32 * 1024 * 1024),
  MAX_FILE_BYTES: countUpTo(512 * 1024 * 1024).default(64 * 1024 * 1024),
  MAX_FILES_PER_USER: countUpTo(1_000_000).default(10_000),
  /** Of the requests and documents of one user's open jobs; `queued_bytes` of the policy goes before it. */
  MAX_OPEN_BYTES_PER_USER: count.default(256 * 1024 * 1024),
  /** Bytes of all uploaded files and stored answers of a user, where the policy says nothing (`stored_bytes`). */
  MAX_STORED_BYTES_PER_USER: count.default(10 * 1024 * 1024 * 1024),
  /** Each takes some 250 bytes of the job Redis for as long as it is kept. */
  MAX_STORED_ANSWERS_PER_USER: countUpTo(10_000_000).default(100_000),
  /**
   * How long the bytes of a file that was deleted, or expired, live on for the jobs that were accepted with it: as long as
   * a job may take, and an hour.
   */
  FILE_GRACE_MS: milliseconds.default(90_000_000),
  /** What reading one PDF, DOCX or HTML document may take, and how many are read at once. */
  EXTRACT_CPU_MS: milliseconds.default(10_000),
  EXTRACT_TIMEOUT_MS: milliseconds.default(60_000),
  EXTRACT_MEMORY_MB: countUpTo(16_384).default(512),
  EXTRACT_MAX_TEXT_BYTES: countUpTo(256 * 1024 * 1024).default(32 * 1024 * 1024),
  EXTRACT_CONCURRENCY: countUpTo(64).default(2),
  DEFAULT_DEADLINE_MS: milliseconds.default(600_000),
  LOG_RETENTION_MS: milliseconds.default(3_600_000),
  /** How long a stored response is kept past its end. */
  RESPONSE_RETENTION_MS: milliseconds.default(30 * 86_400_000),
  /** How long BullMQ's finished nodes are kept: a message that Kafka delivers again within it adds nothing. */
  KEEP_FINISHED_MS: milliseconds.default(3_600_000),
  LLM_CONCURRENCY: countUpTo(10_000).default(256),
  /** Jobs of all users that may wait or run; what comes on top is refused. */
  MAX_OPEN_JOBS: countUpTo(10_000_000).default(50_000),
  /** Where the job Redis has no `maxmemory`: what it may fill, in bytes. Near it, no more jobs are let in. */
  REDIS_MAX_BYTES: count.optional(),
  /** Bytes that the job Redis's append-only file may have on its disk: near it, new jobs are refused. */
  REDIS_MAX_DISK_BYTES: count.optional(),
  /** A job that somebody waits for is refused at once where it would wait longer than this for its turn. */
  INTERACTIVE_MAX_WAIT_MS: milliseconds.pipe(z.int().max(DAY_MS)).default(60_000),
  /** How many more jobs BullMQ is given than its workers have slots, in percent: a slot that is free finds one at once. */
  SCHEDULER_AHEAD_PERCENT: percentage.default(10),
  /** The most slots that one user's jobs take at a time, in percent of all workers' slots; the others stay free for other users. */
  SCHEDULER_USER_PERCENT: percentage.pipe(z.int().min(1)).default(90),
  /** The share of all workers' slots, in percent, that background and batch jobs leave to interactive ones. */
  SCHEDULER_INTERACTIVE_PERCENT: percentage.pipe(z.int().max(99)).default(20),
  /** How long a background or batch job at the head of its user's is passed over by interactive ones. */
  SCHEDULER_AGEING_MS: milliseconds.pipe(z.int().max(DAY_MS)).default(30_000),
  CONTEXT_CONCURRENCY: countUpTo(10_000).default(32),
  /** Model -> models to fall back to, in order: `{"gpt-5":["gpt-5-mini"]}`. */
  MODEL_FALLBACKS: z
    .string()
    .default('{}')
    .transform((text, context) => parseJson(text, context))
    .pipe(z.record(z.string(), z.array(z.string()))),
  MAX_CALLS_PER_MODEL: countUpTo(20).default(3),
  /** How long a model is tried that no call comes to and that has no fallback: a proxy's restart. */
  UNREACHABLE_PATIENCE_MS: whole.default(30_000),
  /** A job that was begun more often than this makes its workers fail, and is given up. */
  MAX_ATTEMPTS: countUpTo(100).default(6),
  FIRST_TOKEN_TIMEOUT_MS: milliseconds.default(120_000),
  TOKEN_TIMEOUT_MS: milliseconds.default(30_000),
  ON_LOST_ATTEMPT: z.enum(['continue', 'fail']).default('continue'),
  CONTEXT_TOKENS: count.default(6_000),
  /** LiteLLM's name of a model of embeddings; unset: documents are compared with a question by its words alone. */
  EMBEDDING_MODEL: z.string().min(1).max(200).optional(),
  /** What all embeddings of one document may take, before words alone decide. */
  EMBEDDING_TIMEOUT_MS: milliseconds.pipe(z.int().max(60_000)).default(1_500),
  /** A folder of YAML files, one for each assistant. */
  ASSISTANTS_DIR: z.string().min(1).default('deploy/assistants'),
  /** `always`: a request that does not speak of assistants gets the one that fits, if any. */
  ASSISTANT_SELECTION: z.enum(['asked', 'always']).default('asked'),
  /** Answers where a request's model is `auto` and its assistant, if there is one, has none of its own. */
  ASSISTANT_DEFAULT_MODEL: z.string().min(1).max(200).optional(),
  /** Tokens that the messages of a request may fill; unset: all that the model takes. */
  HISTORY_TOKENS: countUpTo(10_000_000).optional(),
  /** Services that passages come from, as JSON: `[{"name":"wiki","url":"https://...","always":true}]`. */
  RETRIEVAL_SOURCES: z
    .string()
    .default('[]')
    .transform((text, context) => parseJson(text, context))
    .pipe(retrievalSources),
  /** How many pieces of context one worker process waits for at once that other services have. */
  SOURCE_CONCURRENCY: countUpTo(10_000).default(256),

  /** Secrets that entries are named and encrypted with, the newest first; unset: TURNOUT_SECRET. */
  CACHE_KEYS: z
    .string()
    .transform((keys) => keys.split(','))
    .pipe(z.tuple([cacheKey], cacheKey))
    .optional(),
  /**
   * Which answers are kept, by what a request says of sampling. `fixed`: where it asks for temperature 0, or gives a seed;
   * `unasked`: those, and where it says nothing; `any`.
   */
  CACHE_SAMPLING: z.enum(['fixed', 'unasked', 'any']).default('unasked'),
  CACHE_ANSWER_TTL_MS: cacheLifetime.default(3_600_000),
  CACHE_RAG_TTL_MS: cacheLifetime.default(600_000),
  /** What all users' entries may take, and one user's. */
  CACHE_MAX_ENTRIES: count.default(100_000),
  CACHE_MAX_BYTES: count.default(64 * 1024 * 1024),
  CACHE_USER_MAX_ENTRIES: count.default(1_000),
  CACHE_USER_MAX_BYTES: count.default(4 * 1024 * 1024),
  /** Of one user's: who has no more than that loses nothing to others. */
  CACHE_USER_FLOOR_PERCENT: percentage.default(10),
  /** How long a look-up may take before it is a miss. */
  CACHE_TIMEOUT_MS: countUpTo(1_000).default(20),
  /** How often what has expired is removed, and figures are told. */
  CACHE_SWEEP_MS: milliseconds.pipe(z.int().max(DAY_MS)).default(10_000),
  CACHE_STATS_MS: milliseconds.pipe(z.int().max(DAY_MS)).default(60_000),

  /** How long a webhook endpoint may take to answer one try, and for how long tries are made. */
  WEBHOOK_TIMEOUT_MS: milliseconds.pipe(z.int().max(60_000)).default(15_000),
  WEBHOOK_RETRY_MS: milliseconds.pipe(z.int().max(30 * DAY_MS)).default(3 * DAY_MS),
  /** Deliveries that one context-worker makes at a time. */
  WEBHOOK_CONCURRENCY: countUpTo(10_000).default(256),
  WEBHOOK_ALLOW_HTTP: flag.default(false),
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
