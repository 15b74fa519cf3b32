import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { TurnoutError } from '../../platform/errors/turnout-error.ts';
import { type Endpoint, type EndpointStore } from './endpoint-store.ts';
import { eventType, type EventType } from './event.ts';
import { checkTarget, createResolve, type Resolve } from '../../platform/net/guarded-lookup.ts';
import { hintOf, newSecret, type SecretBox } from './secrets.ts';
import { type TargetRules } from '../../platform/net/target-guard.ts';

const NAME_MAX = 200;

export const endpointName = z.string().min(1).max(NAME_MAX);
export const endpointEventTypes = z
  .array(eventType)
  .min(1)
  .transform((types): EventType[] => [...new Set(types)]);

export interface NewEndpoint {
  url: string;
  name: string;
  eventTypes: EventType[];
}

export interface EndpointChanges extends Partial<NewEndpoint> {
  enabled?: boolean;
}

/** The only response that contains a secret. */
export interface WithSecret {
  endpoint: Endpoint;
  secret: string;
}

/** Endpoint management for owners, and for operators on their behalf. Throws `invalid_value` of `url` for a URL that is not allowed. */
export interface Registry {
  register(user: string, wanted: NewEndpoint): Promise<WithSecret>;
  /** Undefined when the endpoint does not exist; likewise `rotate`. */
  update(user: string, id: string, changes: EndpointChanges): Promise<Endpoint | undefined>;
  /** `keepOld`: deliveries are also signed with the old secret for 24 hours. */
  rotate(user: string, id: string, options: { keepOld: boolean }): Promise<WithSecret | undefined>;
}

interface RegistryOptions {
  store: EndpointStore;
  box: SecretBox;
  rules: TargetRules;
  resolve?: Resolve;
}

/** As OpenAI's `keep_old_secret_active_for_24_hours`. */
const OLD_SECRET_MS = 24 * 3_600_000;

export function createRegistry({ store, box, rules, ...options }: RegistryOptions): Registry {
  const resolve = options.resolve ?? createResolve(rules);
  return {
    register: async (user, { url, name, eventTypes }) => {
      const target = await accepted(url, rules, resolve);
      const id = `we_${randomBytes(16).toString('hex')}`;
      const secret = newSecret();
      const now = Date.now();
      const endpoint: Endpoint = {
        version: 1,
        id,
        name,
        url: target,
        eventTypes,
        createdAt: now,
        updatedAt: now,
        ...encrypted(box, id, secret),
      };
      await store.add(user, endpoint);
      return { endpoint, secret };
    },
    update: async (user, id, changes) => {
      const url = changes.url === undefined ? undefined : await accepted(changes.url, rules, resolve);
      return store.change(user, id, (endpoint) => changed(endpoint, { ...changes, ...(url && { url }) }));
    },
    rotate: async (user, id, { keepOld }) => {
      const secret = newSecret();
      const fresh = { ...encrypted(box, id, secret), updatedAt: Date.now() };
      const endpoint = await store.change(user, id, (before) => rotated(before, fresh, keepOld));
      return endpoint && { endpoint, secret };
    },
  };
}

/** The secrets to sign with now, the current one first. Throws `webhook_secret_unreadable`. */
export function signingSecrets({ id, secret, oldSecret }: Endpoint, box: SecretBox, now: number): string[] {
  const old = oldSecret && oldSecret.until > now ? [oldSecret.sealed] : [];
  return [secret, ...old].map((text) => box.open(text, id));
}

async function accepted(url: string, rules: TargetRules, resolve: Resolve): Promise<string> {
  try {
    return (await checkTarget(url, rules, resolve)).href;
  } catch (error) {
    if (!(error instanceof TurnoutError)) throw error;
    throw new TurnoutError('invalid_value', { message: error.message, param: 'url', cause: error });
  }
}

function encrypted(box: SecretBox, id: string, secret: string): Pick<Endpoint, 'secret' | 'hint'> {
  return { secret: box.encrypt(secret, id), hint: hintOf(secret) };
}

/** An endpoint has at most one old secret: the one of the previous rotation is always removed. */
function rotated(before: Endpoint, fresh: Partial<Endpoint>, keepOld: boolean): Endpoint {
  const oldSecret = { sealed: before.secret, until: Date.now() + OLD_SECRET_MS };
  return { ...before, ...fresh, oldSecret: keepOld ? oldSecret : undefined };
}

/** An update without changes leaves `updatedAt` unchanged, as OpenAI does. */
function changed(endpoint: Endpoint, { enabled, ...changes }: EndpointChanges): Endpoint {
  const { disabled, ...rest } = { ...endpoint, ...changes };
  const off = enabled === undefined ? disabled : enabled ? undefined : (disabled ?? 'owner');
  const next: Endpoint = { ...rest, ...(off && { disabled: off }) };
  const same = JSON.stringify(sorted(next)) === JSON.stringify(sorted(endpoint));
  return same ? endpoint : { ...next, updatedAt: Date.now() };
}

function sorted(endpoint: Endpoint): [string, unknown][] {
  return Object.entries(endpoint).sort(([a], [b]) => a.localeCompare(b));
}
