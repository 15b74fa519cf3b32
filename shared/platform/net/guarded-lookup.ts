import { type LookupAddress, promises as dns } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { TurnoutError } from '../errors/turnout-error.ts';
import { hostOf, isPublicAddress, parseTarget, refused, type TargetRules } from './target-guard.ts';

/** All addresses of a name; rejects or gives none when it has none. */
export type Resolve = (hostname: string) => Promise<LookupAddress[]>;

const DNS_TIMEOUT_MS = 2_000;
const DNS_TRIES = 2;

/**
 * Asks the name servers by sockets of its own. The system's `getaddrinfo` blocks one of the process's four pool threads for
 * as long as a name server is silent, so that one hostile name would hold up everybody's. Where private targets are allowed
 * it is used all the same: only it knows the hosts file and the search domains.
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

/** The addresses that may be connected to. Throws `webhook_unreachable` (none at all) or `webhook_target_refused`. */
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

/** `lookup` for `http.request` and `https.request`: what it gives is what is connected to. */
export function guardedLookup(rules: TargetRules, resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    allowedAddresses(hostname, rules, resolve).then(
      ([first, ...rest]) =>
        options.all ? callback(null, [first, ...rest]) : callback(null, first.address, first.family),
      (error: unknown) => callback(TurnoutError.from(error), ''),
    );
  };
}

/** Throws as `parseTarget` and the look-up do. That it passes promises nothing of the next look-up. */
export async function checkTarget(text: string, rules: TargetRules, resolve: Resolve): Promise<URL> {
  const url = parseTarget(text, rules);
  const host = hostOf(url);
  if (!rules.allowPrivate && isIP(host) === 0) await allowedAddresses(host, rules, resolve);
  return url;
}
