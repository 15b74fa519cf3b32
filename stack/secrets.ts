import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Layout } from './layout.ts';

const secretsSchema = z.object({
  turnoutSecret: z.string().min(32),
  adminKey: z.string(),
  /** The keys of two different users. */
  apiKey: z.string(),
  apiKey2: z.string(),
  litellmMasterKey: z.string(),
  redisPassword: z.string(),
  kafkaClusterId: z.string(),
});
export type Secrets = z.infer<typeof secretsSchema>;

/** Loads the secrets of this stack, or generates them at its first start. Only the file's owner can read them. */
export function loadSecrets(layout: Pick<Layout, 'state'>): Secrets {
  const file = join(layout.state, 'secrets.json');
  if (existsSync(file)) return secretsSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  const secrets = generate();
  writeFileSync(file, JSON.stringify(secrets, null, 2), { mode: 0o600 });
  return secrets;
}

const random = (): string => randomBytes(32).toString('base64url');

function generate(): Secrets {
  return {
    turnoutSecret: random(),
    adminKey: `sk-turnout-admin-${random()}`,
    apiKey: `sk-turnout-${random()}`,
    apiKey2: `sk-turnout-${random()}`,
    litellmMasterKey: `sk-litellm-${random()}`,
    redisPassword: random(),
    kafkaClusterId: clusterId(),
  };
}

/** A UUID in Kafka's format: base64url without padding. One that starts with `-` would be read as an option. */
function clusterId(): string {
  const id = Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url');
  return id.startsWith('-') ? clusterId() : id;
}

/** Writes the services' API key file. It contains ids and hashes, but no keys. Returns its path. */
export function writeApiKeys(
  secrets: Pick<Secrets, 'apiKey' | 'apiKey2'>,
  layout: Pick<Layout, 'state'>,
): string {
  const keys = [secrets.apiKey, secrets.apiKey2].map((key, index) => ({
    id: `key_${index + 1}`,
    user: `user-${index + 1}`,
    sha256: createHash('sha256').update(key).digest('hex'),
  }));
  const file = join(layout.state, 'api-keys.json');
  writeFileSync(file, JSON.stringify({ keys }, null, 2), { mode: 0o600 });
  return file;
}
