import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';

/** An API user and their key. */
export interface TestUser {
  user: string;
  key: string;
}

/** Writes an `API_KEYS_FILE` with `count` users. */
export function writeUsers(file: string, count: number): TestUser[] {
  const users = Array.from({ length: count }, (_, index) => ({
    user: `user-${index}`,
    key: `sk-turnout-test-${index}-${'k'.repeat(24)}`,
  }));
  const keys = users.map(({ user, key }, index) => ({
    id: `key_${index}`,
    user,
    sha256: createHash('sha256').update(key).digest('hex'),
  }));
  writeFileSync(file, JSON.stringify({ keys }), { mode: 0o600 });
  return users;
}
