import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { TurnoutError } from '../errors/turnout-error.ts';

/**
 * Where a webhook may go. Two checks, and both are needed: the URL's own words here (Node asks no resolver about a literal
 * address), and in `guarded-lookup.ts` every address that a connection is really made to, so that a name which answers
 * otherwise the second time (DNS rebinding) gains nothing.
 */
export interface TargetRules {
  /** Plain http as well. */
  allowHttp: boolean;
  /** Private, loopback and link-local targets, any name and any port. */
  allowPrivate: boolean;
}

const MAX_URL_LENGTH = 2_048;
/** Below it live other protocols; a public web server answers on 80 or 443, or above. */
const FIRST_FREE_PORT = 1_024;
/** Names that mean this machine or this network. Others that do so are refused by what they resolve to. */
const INTERNAL_NAME = /^localhost$|\.(localhost|local|internal|home\.arpa)$|^[^.]+$/;
/** The host agent of every Azure machine: a public address that is answered from within only. */
const AZURE_HOST = '168.63.129.16';
const GLOBAL_UNICAST: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];

/** Throws `webhook_target_refused`, whose message says what is wrong with the URL. */
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

/** The host as a resolver or `isIP` takes it: WHATWG's URL has made `127.1` and `0x7f000001` plain already. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/**
 * True for addresses of the public internet only. What carries another address inside (IPv4-mapped, NAT64, 6to4, Teredo) is
 * not public, whatever it carries.
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
