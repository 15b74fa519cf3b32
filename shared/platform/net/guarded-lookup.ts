import { type LookupAddress, promises as dns } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { TurnoutError } from '../errors/turnout-error.ts';
import { hostOf, isPublicAddress, parseTarget, refused, type TargetRules } from './target-guard.ts';

/** Returns all addresses of a name; rejects or returns an empty list if there are none. */
export type Resolve = (hostname: string) => Promise<LookupAddress[]>;

const DNS_TIMEOUT_MS = 2_000;
const DNS_TRIES = 2;

/**
 * Creates a resolver that queries the name servers over its own sockets. The system's `getaddrinfo` would block one of the process's
 * four pool threads while a name server is silent, so a hostile name could delay all other look-ups. If private targets are allowed,
 * `getaddrinfo` is used nevertheless: only it knows the hosts file and the search domains.
 */
export function createResolve({ allowPrivate }: TargetRules): Resolve {
  if (allowPrivate) return (hostname) => dns.lookup(hostname, { all: true });
  const resolver = new dns.Resolver({ timeout: DNS_TIMEOUT_MS, tries: DNS_TRIES });
  return async (hostname) => {
    const [v4, v6] = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
    return [...found(v4, 4), ...found(v6, 6)];
  };
}

function found(answer: PromiseSettledResult<string[]>, family: 4 | 6): LookupAddress[] {
  return answer.status === 'fulfilled' ? answer.value.map((address) => ({ address, family })) : [];
}

/** The allowed addresses of a name. Throws `webhook_unreachable` (no address at all) or `webhook_target_refused` (none allowed). */
async function allowedAddresses(
  hostname: string,
  rules: TargetRules,
  resolve: Resolve,
): Promise<[LookupAddress, ...LookupAddress[]]> {
  const addresses = await resolve(hostname).catch((error: unknown) => {
    throw new TurnoutError('webhook_unreachable', { message: UNRESOLVED, cause: error });
  });
  const [first, ...rest] = addresses.filter(({ address }) => rules.allowPrivate || isPublicAddress(address));
  if (first) return [first, ...rest];
  if (addresses.length > 0) throw refused('its host is not on the public internet');
  throw new TurnoutError('webhook_unreachable', { message: UNRESOLVED });
}

const UNRESOLVED = 'The host name of the URL could not be resolved.';

/** A `lookup` for `http.request` and `https.request`. Node connects only to the addresses that it returns. */
export function guardedLookup(rules: TargetRules, resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    allowedAddresses(hostname, rules, resolve).then(
      ([first, ...rest]) =>
        options.all ? callback(null, [first, ...rest]) : callback(null, first.address, first.family),
      (error: unknown) => callback(TurnoutError.from(error), ''),
    );
  };
}

/** Checks a URL at registration. Throws like `parseTarget` and the look-up. The next look-up may still refuse the target. */
export async function checkTarget(text: string, rules: TargetRules, resolve: Resolve): Promise<URL> {
  const url = parseTarget(text, rules);
  const host = hostOf(url);
  if (!rules.allowPrivate && isIP(host) === 0) await allowedAddresses(host, rules, resolve);
  return url;
}
