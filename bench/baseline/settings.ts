export interface BaselineSettings {
  REDIS_URL: string;
  REDIS_PREFIX: string;
  UPSTREAM_BASE_URL: string;
  UPSTREAM_API_KEY: string;
  CONCURRENCY: number;
}

export const QUEUE = 'chat';

/** The channel of all tokens. Messages: `<job> <JSON chunk>`, and `<job> [DONE]` at the end. */
export function channelOf({ REDIS_PREFIX }: Pick<BaselineSettings, 'REDIS_PREFIX'>): string {
  return `${REDIS_PREFIX}:tokens`;
}
