import { randomBytes } from 'node:crypto';
import { type ChatCompletionChunk } from 'openai/resources/chat/completions';
import {
  createAdmissionControl,
  type AdmissionControl,
} from '../../services/ingress/admission/admission-control.ts';
import { createUploadLimits, type UploadLimits } from '../../services/ingress/files/upload-limits.ts';
import { createMeasureEntrant } from '../../services/ingress/admission/measure-entrant.ts';
import { createJobEnder } from '../../services/llm-worker/attempt/job-ender.ts';
import { CancelRequested } from '../../services/llm-worker/attempt/held-jobs.ts';
import { type ModelBackend } from '../../services/llm-worker/call/model-backend.ts';
import { runJob, type RunJobDeps } from '../../services/llm-worker/attempt/run-job.ts';
import { createLedger } from '../../services/metrics/ledger/ledger.ts';
import { entitlementOf } from '../../shared/policy/access/entitlement.ts';
import { type PolicyFile } from '../../shared/policy/access/policy-file.ts';
import { type ChatRequest } from '../../shared/contracts/chat-request.ts';
import { newFileId } from '../../shared/platform/ids.ts';
import { type LlmJob } from '../../shared/contracts/flow.ts';
import { type JobEvent } from '../../shared/contracts/job-event.ts';
import { type Outcome } from '../../shared/contracts/outcome.ts';
import { type Price } from '../../shared/contracts/quote.ts';
import { TurnoutError } from '../../shared/platform/errors/turnout-error.ts';
import { createAnswerStorage } from '../../shared/content/files/answer-storage.ts';
import { createFileRegistry } from '../../shared/content/files/file-registry.ts';
import { createOpenJobLimiter } from '../../shared/jobs/limiter/open-job-limiter.ts';
import { cancelJob } from '../../shared/jobs/joblog/cancellation.ts';
import { endUnfenced } from '../../shared/jobs/joblog/ending.ts';
import { createJobLog, type JobLog } from '../../shared/jobs/joblog/job-log.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { countTokens } from '../../shared/content/documents/tokens.ts';
import { measureRequest } from '../../shared/content/models/measure-request.ts';
import { type Redis } from '../../shared/platform/redis/connect.ts';
import { fileKeys, jobKeys } from '../../shared/platform/redis/keys.ts';
import { type Budgets, createBudgets } from '../../shared/policy/usage/budgets.ts';
import { usageSectionsOf } from '../../shared/policy/usage/ledger-sections.ts';
import { createRateLimits } from '../../services/ingress/admission/rate-limits.ts';

/** One call of the model. */
export interface CallPlan {
  /** Percent of the longest answer that the provider generates. */
  length: number;
  /** `cut`: the provider's connection breaks at that point; `cancelled`: the user closes theirs at that point. */
  end: 'whole' | 'cut' | 'cancelled';
}

/** One job, and what happens to it. */
export interface JobPlan {
  user: 'ada' | 'bob';
  /** Length in words. */
  prompt: number;
  /** Undefined: the request does not limit the length of its answer. */
  limit: number | undefined;
  /**
   * `runs`: a worker runs it to its end. `lost`: its first worker dies during the first call, and another one takes over. `abandoned`: no
   * worker takes over, and the sweep ends it. `waiting`: it is cancelled before a worker starts it. `refused`: it is not accepted after its
   * reservation. `forgotten`: its ingress dies before the job has a record.
   */
  fate: 'runs' | 'lost' | 'abandoned' | 'waiting' | 'refused' | 'forgotten';
  /** One per model: the first model and its fallbacks. The last one applies to all further calls. */
  calls: CallPlan[];
  /** Runs in parallel to the jobs that are requested after it. */
  slow: boolean;
  /** The user also uploads a file. */
  uploads: boolean;
}

interface ProviderCall {
  user: JobPlan['user'];
  prompt: number;
  completion: number;
  cost: number;
  whole: boolean;
}

export interface World {
  /** Admits a job and carries out its plan. Resolves when admission has decided; the result's `ended` resolves when the job has ended. */
  ask(id: number, plan: JobPlan): Promise<{ ended: Promise<void> }>;
  /** Uploads a file. Returns the error code if it is refused. */
  upload(user: JobPlan['user']): Promise<string | undefined>;
  /** The provider's own counts. */
  calls: readonly ProviderCall[];
}

/** The models that are called in turn, with prices. Fallbacks may be more expensive. */
const PRICES: Readonly<Record<string, Price>> = {
  m: { input: 1e-6, output: 4e-6 },
  'm-dear': { input: 2e-6, output: 8e-6 },
  'm-cheap': { input: 1e-7, output: 4e-7 },
};
const [MODEL = '', ...FALLBACKS] = Object.keys(PRICES);
/** The longest answer of any model, in tokens. */
export const LONGEST = 4_000;
/** The provider's tokenizer differs from ours by this factor. */
const SKEW = 1.04;
const WORDS = 'north south river bridge tower garden window market station forest'.split(' ');

const measureEntrant = createMeasureEntrant();

const words = (count: number) => Array.from({ length: count }, (_, at) => WORDS[at % WORDS.length]).join(' ');

/** The real admission, workers, billing and budgets on the real Redis, with a simulated provider. */
export function createWorld(redis: Redis, prefix: string, policy: PolicyFile): World {
  const jobLog = createJobLog({ redis, keys: jobKeys(prefix), retentionMs: 60_000 });
  const calls: ProviderCall[] = [];
  const bill = createBilling(redis, prefix);
  const common = admissionParts(redis, prefix, policy);
  const admissionControls = {
    lasting: admissionControlOf(common, createBudgets(redis, prefix)),
    brief: admissionControlOf(common, createBudgets(redis, prefix, 1)),
  };
  const uploads: UploadLimits = createUploadLimits({
    ...common,
    budgets: createBudgets(redis, prefix),
    userHash: (user) => user,
    storedBytes: 1e9,
  });

  async function admit(jobId: string, plan: JobPlan): Promise<LlmJob | undefined> {
    const admissionControl = plan.fate === 'forgotten' ? admissionControls.brief : admissionControls.lasting;
    const job = jobOf(jobId, plan);
    const { request } = job.request as { request: ChatRequest };
    const taken = { request, documents: [], question: '' };
    const entered = await admissionControl
      .enter({
        jobId,
        userHash: job.userHash,
        caller: { user: job.user, groups: job.groups },
        model: job.model,
        priority: 'interactive',
        returning: false,
        deadlineAt: job.deadlineAt,
        assistant: undefined,
        taken,
        measure: measureEntrant(job.user, taken),
        onRates: () => undefined,
      })
      .catch((error: unknown) => {
        if (error instanceof TurnoutError && error.code === 'insufficient_quota') return undefined;
        throw error;
      });
    if (!entered || plan.fate === 'forgotten') return undefined;
    if (plan.fate === 'refused') {
      await admissionControl.leave({ jobId, userHash: job.userHash, user: job.user });
      return undefined;
    }
    await record(jobLog, admissionControl, job);
    return job;
  }

  async function live(job: LlmJob, plan: JobPlan): Promise<void> {
    const deps = {
      jobLog,
      log: silentLogger,
      relays: { begin: ({ outcome }: { outcome: Outcome }) => bill.add(outcome) },
    };
    if (plan.fate === 'waiting') await cancelJob(deps, job.jobId, 'disconnect');
    if (plan.fate === 'lost' || plan.fate === 'abandoned') await dieInCall(jobLog, job, plan, calls);
    if (plan.fate === 'abandoned')
      await endUnfenced(deps, job.jobId, { status: 'failed', error: new TurnoutError('deadline_exceeded') });
    if (plan.fate === 'runs' || plan.fate === 'lost')
      await runJob(workerDeps({ redis, prefix, policy, jobLog, bill, calls }, plan), job, []);
    await bill.done();
  }

  return {
    calls,
    ask: async (id, plan) => {
      const job = await admit(`job_${id.toString(16).padStart(32, '0')}`, plan);
      return { ended: job ? live(job, plan) : Promise.resolve() };
    },
    upload: async (user) => {
      const caller = { user, groups: ['team'] };
      try {
        await uploads.admit({ fileId: newFileId(user, Date.now()), caller, onRates: () => undefined });
        return undefined;
      } catch (error) {
        return TurnoutError.from(error).code;
      }
    },
  };
}

function admissionParts(redis: Redis, prefix: string, policy: PolicyFile) {
  const keys = fileKeys(prefix);
  return {
    policy: { of: (who: Parameters<typeof entitlementOf>[1]) => entitlementOf(policy, who) },
    rates: createRateLimits(redis, prefix),
    openJobLimiter: createOpenJobLimiter(redis, prefix, 10_000),
    storage: createAnswerStorage(redis, keys),
    files: createFileRegistry({ redis, keys, maxFilesPerUser: 100, graceMs: 1 }),
  };
}

function admissionControlOf(common: ReturnType<typeof admissionParts>, budgets: Budgets): AdmissionControl {
  const priced = (model: string) => ({ price: PRICES[model], maxOutput: LONGEST, contextWindow: 1e6 });
  return createAdmissionControl({
    ...common,
    budgets,
    prices: { of: (model) => Promise.resolve(priced(model)), known: () => Promise.resolve({ ...PRICES }) },
    candidates: {
      assistants: () => [],
      sources: [],
      fallbacks: { [MODEL]: FALLBACKS },
      defaultModel: undefined,
    },
    documentTokens: 1_000,
    historyTokens: undefined,
    memory: () => 0,
    interactiveMaxWaitMs: 60_000,
    openBytes: 1e9,
    storedBytes: 1e9,
    storedAnswers: 1e6,
    now: Date.now,
    log: silentLogger,
  });
}

function jobOf(jobId: string, { user, prompt, limit }: JobPlan): LlmJob {
  const request = {
    model: MODEL,
    messages: [{ role: 'user', content: words(prompt) }],
    ...(limit === undefined ? {} : { max_tokens: limit }),
  };
  const now = Date.now();
  return {
    version: 1,
    jobId,
    user,
    userHash: user,
    groups: ['team'],
    model: MODEL,
    acceptedAt: now,
    deadlineAt: now + 120_000,
    request: { kind: 'inline', request },
    decision: { path: 'litellm', reason: 'percentage', epoch: 0, step: 0 },
    quote: { prices: { ...PRICES } },
    context: [],
  } as unknown as LlmJob;
}

/** Writes what the ingress and the router write for a job. */
async function record(jobLog: JobLog, admissionControl: AdmissionControl, job: LlmJob): Promise<void> {
  const { jobId, user, userHash, model, groups, acceptedAt, deadlineAt, decision, quote } = job;
  await jobLog.admit({
    jobId,
    owner: user,
    userHash,
    model,
    bodyHash: '',
    acceptedAt,
    deadlineAt,
    reader: '',
    graceMs: undefined,
  });
  await admissionControl.confirm({ jobId, deadlineAt });
  const { request } = job.request as { request: ChatRequest };
  const promptTokens = measureRequest(request).exact();
  await jobLog.route(jobId, [
    { type: 'accepted', at: acceptedAt, model, groups: [...groups] },
    { type: 'routed', at: acceptedAt, ...decision, promptTokens, ...(quote ? { quote } : {}) },
  ]);
}

/** Counts outcomes one after another, as the metrics service does. */
function createBilling(redis: Redis, prefix: string) {
  const ledger = createLedger(redis, prefix);
  let believed: bigint | undefined;
  let last = Promise.resolve();
  async function apply(outcome: Outcome): Promise<void> {
    if (outcome.error === 'internal_error')
      throw new Error(`${outcome.jobId} failed because of an error in this test`);
    const sections = usageSectionsOf([outcome]).map((section) => ({ ...section, marks: [], last: 0 }));
    const next = (believed ?? 0n) + 1n;
    await ledger.apply({
      partition: 'events/0',
      believed,
      next,
      ids: [outcome.id],
      jobs: [{ jobId: outcome.jobId, at: outcome.at }],
      delta: new Map(),
      sections,
      times: [],
    });
    believed = next;
  }
  return {
    add: (outcome: Outcome) => void (last = last.then(() => apply(outcome))),
    done: () => last,
  };
}

interface Provider {
  calls: ProviderCall[];
}

function provided({ calls }: Provider, { user }: JobPlan, body: ChatRequest): ProviderCall {
  const prompt = Math.round(measureRequest(body).exact() * SKEW);
  const call = { user, prompt, completion: 0, cost: prompt * priceOf(body).input, whole: false };
  calls.push(call);
  return call;
}

function priceOf({ model }: ChatRequest): Price {
  return PRICES[model] ?? { input: 0, output: 0 };
}

/** Number of words in an answer, such that the provider's tokens stay within the request's limit. */
function answerWords({ limit }: JobPlan, { length }: CallPlan): number {
  return Math.floor(((limit ?? LONGEST) / SKEW) * (length / 100));
}

function said(call: ProviderCall, body: ChatRequest, text: string): void {
  call.completion = Math.round(countTokens(text) * SKEW);
  call.cost = call.prompt * priceOf(body).input + call.completion * priceOf(body).output;
}

/** Starts an attempt whose worker then dies during the call. */
async function dieInCall(jobLog: JobLog, job: LlmJob, plan: JobPlan, calls: ProviderCall[]): Promise<void> {
  const { request } = job.request as { request: ChatRequest };
  const begun = await jobLog.begin(job.jobId, {
    nonce: randomBytes(4).toString('hex'),
    path: 'litellm',
    holder: 'dead',
    deadlineAt: job.deadlineAt,
  });
  if (begun.kind !== 'begun') throw new Error('The attempt did not begin');
  const text = words(answerWords(plan, planOf(plan, 0)));
  said(provided({ calls }, plan, request), request, text);
  const events: JobEvent[] = text === '' ? [] : [{ type: 'text', choice: 0, delta: text }];
  await jobLog.append(job.jobId, begun.fence, begun.lastSequence, events);
}

function planOf({ calls }: JobPlan, at: number): CallPlan {
  return calls[at] ?? calls.at(-1) ?? { length: 0, end: 'whole' };
}

interface WorkerWorld {
  redis: Redis;
  prefix: string;
  policy: PolicyFile;
  jobLog: JobLog;
  bill: ReturnType<typeof createBilling>;
  calls: ProviderCall[];
}

function workerDeps({ redis, prefix, policy, jobLog, bill, calls }: WorkerWorld, plan: JobPlan): RunJobDeps {
  const user = new AbortController();
  const never = () => Promise.reject(new Error('Not used in this test'));
  const begin = ({ outcome }: { outcome: Outcome }) => bill.add(outcome);
  return {
    jobLog,
    prompts: {
      prepare: (job) => {
        const { request } = job.request as { request: ChatRequest };
        return Promise.resolve({ body: request, included: [], passages: [] });
      },
    },
    backends: {
      litellm: providerOf({ calls }, plan, () => user.abort(new CancelRequested('disconnect'))),
      legacy: undefined,
    },
    backendOf: () => 'litellm',
    policy: { of: (who) => entitlementOf(policy, who) },
    budgets: createBudgets(redis, prefix),
    scheduler: { ended: () => Promise.resolve(), pump: () => undefined },
    limits: { of: () => Promise.resolve({ contextWindow: 1e6, prefill: false }) },
    breakers: { run: (_name, work) => work() },
    callLog: { ended: () => undefined },
    held: {
      hold: () => ({ signal: user.signal, cancel: () => undefined, release: () => undefined }),
      ids: () => [],
      lockLost: () => undefined,
      heed: () => undefined,
      handOver: () => undefined,
    },
    channel: 'worker',
    ender: createJobEnder({ begin }, () => jobLog.now(), silentLogger),
    answers: { keep: () => undefined },
    poison: { keep: never, giveUp: () => undefined, idle: () => Promise.resolve() },
    rules: {
      maxCallsPerModel: 1,
      unreachableGraceMs: 0,
      onLostAttempt: 'continue',
      legacyFallback: false,
      fallbacks: { [MODEL]: FALLBACKS },
      timeouts: { firstTokenMs: 60_000, betweenTokensMs: 60_000 },
    },
    maxAttempts: 6,
    log: silentLogger,
  };
}

function providerOf(provider: Provider, plan: JobPlan, hangUp: () => void): ModelBackend {
  let made = 0;
  return {
    open: (body, { signal }) => {
      const next = planOf(plan, made);
      made += 1;
      const call = provided(provider, plan, body);
      const text = words(answerWords(plan, next));
      return Promise.resolve({ callId: undefined, chunks: answer(text) });

      async function* answer(whole: string): AsyncGenerator<ChatCompletionChunk[]> {
        said(call, body, whole);
        if (whole !== '') yield await Promise.resolve([chunk({ delta: { content: whole } })]);
        if (next.end === 'cut') return;
        if (next.end === 'cancelled') {
          hangUp();
          signal.throwIfAborted();
        }
        call.whole = true;
        yield [chunk({ delta: {}, finish_reason: 'stop' }), usageChunk(call)];
      }
    },
  };
}

function chunk(choice: object): ChatCompletionChunk {
  return { choices: [{ index: 0, finish_reason: null, ...choice }] } as unknown as ChatCompletionChunk;
}

function usageChunk({ prompt, completion, cost }: ProviderCall): ChatCompletionChunk {
  const counts = { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
  return { choices: [], usage: { ...counts, cost } } as unknown as ChatCompletionChunk;
}
