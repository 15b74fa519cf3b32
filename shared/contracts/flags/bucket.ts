import murmurhash from 'murmurhash';

/** Each percentage has its own salt, so that the groups are independent: membership in one does not predict membership in another. */
export type Salt = 'litellm' | 'cache' | 'rag-cache' | 'parallel' | 'metrics';

const HASHES = 2 ** 32;

/**
 * Whether a user is among `percentage` (0 to 100) percent of all users. Hashes salt and user with MurmurHash3 (32 bits), like
 * flagd's `fractional` operation. Sticky: a user always gets the same answer, and users stay in the share when it grows.
 */
export function isInShare(salt: Salt, user: string, percentage: number): boolean {
  return (murmurhash.v3(`${salt}\0${user}`, 0) / HASHES) * 100 < percentage;
}
