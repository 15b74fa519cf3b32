import { type ChatRequest } from '../../shared/contracts/chat-request.ts';

/** The functions whose results are stored or decide something for ever: shares of users, ids, names of cache entries. */
export interface Functions {
  isInShare(salt: string, user: string, percentage: number): boolean;
  newJobId(secret: string, user: string, idempotencyKey: string): string;
  userHash(secret: string, user: string): string;
  userDigest(user: string): string;
  requestFingerprint(request: ChatRequest): string;
  answerFingerprint(basis: typeof BASIS): string | undefined;
  /** Names of entries in the cache. */
  cacheNames(secrets: [string, string]): {
    tagOf(owner: typeof OWNER): string;
    idsOf(owner: typeof OWNER, kind: 'answer', fingerprint: string): readonly string[];
  };
}

const SALTS = ['litellm', 'cache', 'rag-cache', 'parallel', 'metrics'];
const USERS = Array.from({ length: 64 }, (_, at) => `user-${at}`);
const SECRET = 'a secret of tests that protects nothing';

const REQUEST = {
  model: 'gpt-5',
  stream: true,
  temperature: 0,
  metadata: { ticket: '1' },
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: [{ type: 'text', text: 'What is a turnout?' }] },
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'look', arguments: '{}' } }],
    },
    { role: 'tool', tool_call_id: 'call_1', content: 'A switch.' },
  ],
} satisfies ChatRequest;

const BASIS = {
  request: 'f'.repeat(64),
  model: 'gpt-5',
  path: 'litellm' as const,
  documents: [{ name: 'a.txt', mediaType: 'text/plain', fileId: 'file-1', version: 'e'.repeat(64) }],
  assistant: { name: 'law', version: '1' },
  pieces: [
    {
      kind: 'history' as const,
      piece: 'history',
      shareMs: 100,
      budget: 50,
      beside: 10,
      model: 'gpt-5',
      request: inline(),
    },
    { kind: 'remote' as const, piece: 'source-wiki', shareMs: 100, budget: 50, source: 'wiki' },
  ],
  truncation: 'auto',
  groups: ['b', 'a'],
};

function inline() {
  return { kind: 'inline' as const, request: REQUEST };
}

/** `generation` is the name that release 0.1.0 gives to the cache version. */
const OWNER = {
  user: 'ada',
  cacheVersion: '0123456789abcdef'.repeat(2),
  generation: '0123456789abcdef'.repeat(2),
};

export function valuesOf(functions: Functions): Record<string, unknown> {
  const names = functions.cacheNames([SECRET, `older: ${SECRET}`]);
  const share = (salt: string) => USERS.map((user) => (functions.isInShare(salt, user, 50) ? 1 : 0)).join('');
  return {
    shares: Object.fromEntries(SALTS.map((salt) => [salt, share(salt)])),
    jobId: functions.newJobId(SECRET, 'ada', 'order-4711'),
    userHash: functions.userHash(SECRET, 'ada'),
    userDigest: functions.userDigest('ada'),
    requestFingerprint: functions.requestFingerprint(REQUEST),
    answerFingerprint: functions.answerFingerprint(BASIS),
    cacheTag: names.tagOf(OWNER),
    cacheIds: names.idsOf(OWNER, 'answer', 'f'.repeat(64)),
  };
}
