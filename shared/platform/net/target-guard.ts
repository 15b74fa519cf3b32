import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { TurnoutError } from '../errors/turnout-error.ts';

/**
 * Restricts the targets of webhooks. Two checks are needed. This module checks the URL itself, because Node does not call the look-up
 * for a literal address. `guarded-lookup.ts` checks every address that a connection is made to, so that a name that resolves
 * differently the second time (DNS rebinding) is refused.
 */
export interface TargetRules {
  /** Allows plain http. */
  allowHttp: boolean;
  /** Allows private, loopback and link-local targets, any name and any port. */
  allowPrivate: boolean;
}

const MAX_URL_LENGTH = 2_048;
/** Ports below it belong to other protocols, except 80 and 443. */
const FIRST_FREE_PORT = 1_024;
/** Names of this machine or the local network. Other names are checked by the addresses that they resolve to. */
const INTERNAL_NAME = /^localhost$|\.(localhost|local|internal|home\.arpa)$|^[^.]+$/;
/** The host agent of every Azure machine: a public address that is only reachable from inside. */
const AZURE_HOST = '168.63.129.16';
const GLOBAL_UNICAST: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];

/** Parses and checks a URL. Throws `webhook_target_refused` with the reason. */
export function parseTarget(text: string, rules: TargetRules): URL {
  if (text.length > MAX_URL_LENGTH) throw refused(`it is longer than ${MAX_URL_LENGTH} characters`);
  const url = URL.parse(text);
  if (!url) throw refused('it is not a URL');
  checkScheme(url, rules);
  if (url.username !== '' || url.password !== '') throw refused('it must not contain credentials');
  if (!rules.allowPrivate) {
    checkPort(url);
    checkHost(hostOf(url));
  }
  return url;
}

/** The host without IPv6 brackets, for a resolver or `isIP`. WHATWG's URL has already normalized spellings like `127.1`. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/**
 * True only for addresses of the public internet. An address that embeds another one (IPv4-mapped, NAT64, 6to4, Teredo) never counts
 * as public.
 */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  return parsed instanceof ipaddr.IPv6 ? parsed.match(GLOBAL_UNICAST) : parsed.toString() !== AZURE_HOST;
}

function checkScheme({ protocol }: URL, { allowHttp }: TargetRules): void {
  if (protocol === 'https:' || (protocol === 'http:' && allowHttp)) return;
  throw refused(allowHttp ? 'it must begin with https:// or http://' : 'it must begin with https://');
}

function checkPort({ port }: URL): void {
  if (port === '' || port === '80' || port === '443' || Number(port) >= FIRST_FREE_PORT) return;
  throw refused(`port ${port} is not allowed`);
}

function checkHost(host: string): void {
  const internal = isIP(host) === 0 ? INTERNAL_NAME.test(host.replace(/\.$/, '')) : !isPublicAddress(host);
  if (internal) throw refused('its host is not on the public internet');
}

export function refused(why: string): TurnoutError {
  return new TurnoutError('webhook_target_refused', { message: `The URL is refused: ${why}.` });
}
