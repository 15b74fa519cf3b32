import { type LookupFunction } from 'node:net';
import { ConsecutiveBreaker } from 'cockatiel';
import { mayAsk } from '../../../shared/policy/access/may-ask.ts';
import { type RetrievalSource } from '../../../shared/platform/config/retrieval-sources.ts';
import { type Passage } from '../../../shared/contracts/flow.ts';
import { withScores } from '../documents/rank-candidates.ts';
import { matchTexts } from '../documents/rank-passages.ts';
import { countTokens } from '../../../shared/content/documents/tokens.ts';
import { type Circuits, createCircuits } from '../../../shared/content/upstream/circuits.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { createResolve, guardedLookup } from '../../../shared/platform/net/guarded-lookup.ts';
import { parseTarget, type TargetRules } from '../../../shared/platform/net/target-guard.ts';
import { guardedPost, bodyText } from '../http/guarded-post.ts';
import { type ContextSource, type PieceJob } from './context-source.ts';
import { readSearchPage, type SearchResult } from './search-page.ts';

interface RemoteSourceDeps {
  services: readonly RetrievalSource[];
  log: Logger;
}

/** The longest query to a service, in characters; the ingress accepts no longer questions. */
const MAX_QUERY = 4_096;
/** After this many failures or timeouts in a row, a service is not called for some seconds. */
const FAILURES = 5;
/** A larger response is not a list of passages. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/**
 * A team's retrieval service, over HTTP: OpenAI's `POST /v1/vector_stores/{id}/search`. Its responses are untrusted data, like a
 * document. A service that keeps failing is not called for some seconds.
 *
 * Rejects with `source_failed`, whose message contains nothing from the service's response.
 */
export function createRemoteSource({ services, log }: RemoteSourceDeps): ContextSource<'remote'> {
  const circuits = createCircuits({
    breaker: () => new ConsecutiveBreaker(FAILURES),
    halfOpenAfterMs: 5_000,
    isFault: () => true,
    field: 'source',
    opened: 'this source keeps failing',
    log,
  });
  const known = new Map(services.map((service) => [service.name, { ...service, guard: guardOf(service) }]));
  return {
    name: 'remote',
    fetch: async ({ source, budget }, job, signal) => {
      const service = known.get(source);
      if (!service || !mayAsk(service, job))
        throw new TurnoutError('source_failed', {
          cause: `no source "${source}" is configured for this user`,
        });
      const results = await ask(service, job, { circuits, signal }).catch((error: unknown) => {
        throw new TurnoutError('source_failed', { cause: error });
      });
      return { kind: 'passages', name: source, ...fitting(scored(results, job.question), budget) };
    },
  };
}

/** Checks the addresses of a service before a connection. */
interface Guard {
  rules: TargetRules;
  lookup: LookupFunction;
}

function guardOf({ private: allowPrivate }: RetrievalSource): Guard {
  const rules = { allowHttp: true, allowPrivate };
  return { rules, lookup: guardedLookup(rules, createResolve(rules)) };
}

async function ask(
  service: RetrievalSource & { guard: Guard },
  job: PieceJob,
  { circuits, signal }: { circuits: Circuits; signal: AbortSignal },
): Promise<SearchResult[]> {
  if (job.question.trim() === '') return [];
  return circuits.run(service.name, async () => {
    const answer = await guardedPost({
      // Redirects are not followed: they could send the credentials to another server.
      url: parseTarget(service.url, service.guard.rules),
      headers: headersFor(service, job),
      body: JSON.stringify({ query: job.question.slice(0, MAX_QUERY), max_num_results: service.results }),
      lookup: service.guard.lookup,
      timeoutMs: service.timeoutMs,
      signal,
      read: async (response) => {
        const { statusCode = 0 } = response;
        if (statusCode < 200 || statusCode > 299) throw new Error(`the service answered ${statusCode}`);
        return bodyText(response, MAX_ANSWER_BYTES);
      },
    });
    return readSearchPage(answer).slice(0, service.results);
  });
}

function headersFor({ authorization, forwardUser }: RetrievalSource, { jobId, user, traceparent }: PieceJob) {
  return {
    'user-agent': 'Turnout-Retrieval/1',
    accept: 'application/json',
    'x-turnout-job-id': jobId,
    ...(authorization === undefined ? {} : { authorization }),
    ...(forwardUser ? { 'x-turnout-user': encodeURIComponent(user) } : {}),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

interface ScoredResult extends SearchResult {
  score: number;
}

/**
 * A service's scores have their own scale and cannot be compared with those of documents in the same prompt. So the service's ranking is
 * kept, and the scores are computed from the share of the question's words that each passage contains.
 */
function scored(results: readonly SearchResult[], question: string): ScoredResult[] {
  const matches = matchTexts(
    results.map(({ text }) => text),
    question,
  );
  const ranking = results.map((result, at) => ({ ...result, coverage: matches.get(at)?.coverage ?? 0 }));
  return withScores(ranking, ({ coverage }) => coverage);
}

/** The passages that fit into the budget, in the service's ranking. No passage is cut. */
function fitting(results: readonly ScoredResult[], budget: number): { passages: Passage[]; leftOut: number } {
  const passages: Passage[] = [];
  let left = budget;
  for (const [position, { text, score, from }] of results.entries()) {
    const tokens = countTokens(text);
    if (tokens > left) continue;
    left -= tokens;
    passages.push({ text, position, score, from });
  }
  return { passages, leftOut: results.length - passages.length };
}
