/** What is cached. Everything belongs to one user, except what LiteLLM says of its models. */
export const cacheKinds = ['answer', 'rag', 'embedding', 'assistant', 'model'] as const;
export type CacheKind = (typeof cacheKinds)[number];

/** What an entry is found by: whose it is, and a fingerprint of all that it depends on. */
export type CacheKey =
  | { kind: Exclude<CacheKind, 'model'>; user: string; fingerprint: string }
  | { kind: 'model'; fingerprint: string };

export interface KindRules {
  /** Milliseconds that an entry lives. */
  ttlMs: number;
  /** Bytes of one value, as it is stored; a larger one is not kept. */
  maxBytes: number;
}
