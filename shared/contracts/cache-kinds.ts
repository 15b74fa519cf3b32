/** The kinds of cache entries. Every entry belongs to one user, except `model`: LiteLLM's facts about its models. */
export const cacheKinds = ['answer', 'rag', 'embedding', 'assistant', 'model'] as const;
export type CacheKind = (typeof cacheKinds)[number];

/** The key of an entry: its user, and a fingerprint of everything that the value depends on. */
export type CacheKey =
  | { kind: Exclude<CacheKind, 'model'>; user: string; fingerprint: string }
  | { kind: 'model'; fingerprint: string };

export interface KindRules {
  /** Lifetime of an entry in milliseconds. */
  ttlMs: number;
  /** Largest stored size of one value in bytes; larger values are not cached. */
  maxBytes: number;
}
