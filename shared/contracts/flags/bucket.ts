import murmurhash from 'murmurhash';

/** Each percentage has a salt of its own, so that the arms are independent: who is in one says nothing of who is in another. */
export type Salt = 'litellm' | 'cache' | 'rag-cache' | 'parallel' | 'metrics';

const HASHES = 2 ** 32;

/**
 * Whether a user belongs to that share of all users (0 to 100), by MurmurHash3 (32 bits) of salt and user, as flagd's
 * `fractional` operation decides it. Sticky: the same for the same user, and whoever is in stays in when the share grows.
 */
export function isInShare(salt: Salt, user: string, percentage: number): boolean {
  return (murmurhash.v3(`${salt}\0${user}`, 0) / HASHES) * 100 < percentage;
}
