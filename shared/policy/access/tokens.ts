import {
  createRemoteJWKSet,
  customFetch,
  errors,
  jwtVerify,
  type JWTPayload,
  type JWTVerifyGetKey,
} from 'jose';
import { z } from 'zod';
import { type Principal } from './principal.ts';
import { TurnoutError } from '../../platform/errors/turnout-error.ts';
import { ConfigError } from '../../platform/config/load.ts';
import { type Config } from '../../platform/config/schema.ts';

/** Verifies the access and ID tokens of one identity provider. */
export interface TokenReader {
  /** Throws `invalid_api_key`, or `identity_unavailable` if the provider's keys cannot be fetched. */
  read(token: string): Promise<Principal>;
}

export interface TokenRules {
  issuer: string;
  /** Accepted audiences: the `aud` of a token, or the `client_id` of a Cognito access token, which has no `aud`. */
  audiences: readonly string[];
  /** The claims with the user's id and with the user's groups. */
  userClaim: string;
  groupsClaim: string;
  /** Prefix of the user id, so that a token cannot identify a user of the API keys or of another provider. */
  userPrefix: string;
  /** Members of this group may use the admin routes. */
  adminGroup: string | undefined;
  /** Tolerated difference of the provider's clock, in seconds. */
  clockSkewS: number;
  /** URL of the provider's public keys; undefined: taken from its discovery document. */
  jwksUrl: string | undefined;
}

export type TokenConfig = Pick<
  Config,
  | 'OIDC_ISSUER'
  | 'OIDC_AUDIENCES'
  | 'OIDC_USER_CLAIM'
  | 'OIDC_USER_PREFIX'
  | 'OIDC_GROUPS_CLAIM'
  | 'OIDC_ADMIN_GROUP'
  | 'OIDC_CLOCK_SKEW_S'
  | 'OIDC_JWKS_URL'
>;

/** Undefined if no identity provider is configured. Throws `ConfigError`. */
export function tokenRules(config: TokenConfig): TokenRules | undefined {
  if (config.OIDC_ISSUER === undefined) return undefined;
  if (config.OIDC_AUDIENCES.length === 0)
    throw new ConfigError([
      'OIDC_AUDIENCES is not set; OIDC_ISSUER requires it: it names the audiences that tokens must be issued for',
    ]);
  return {
    issuer: config.OIDC_ISSUER,
    audiences: config.OIDC_AUDIENCES,
    userClaim: config.OIDC_USER_CLAIM,
    userPrefix: prefixFor(config.OIDC_ISSUER, config.OIDC_USER_PREFIX),
    groupsClaim: config.OIDC_GROUPS_CLAIM,
    adminGroup: config.OIDC_ADMIN_GROUP,
    clockSkewS: config.OIDC_CLOCK_SKEW_S,
    jwksUrl: config.OIDC_JWKS_URL,
  };
}

/** By default `login.example.com/realms/a|`; `none`: no prefix, as in 0.1.0. */
function prefixFor(issuer: string, chosen: string | undefined): string {
  if (chosen === 'none') return '';
  const { host, pathname } = new URL(issuer);
  return chosen ?? `${host}${pathname.replace(/\/+$/, '')}|`;
}

/** Asymmetric signatures only: with a shared secret, everyone who can verify a token could forge one. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const JWKS = {
  timeoutDuration: 3_000,
  cooldownDuration: 10_000,
  cacheMaxAge: 600_000,
  // jose's own error for a bad status differs from its token errors only by its text, so throw a distinct one.
  [customFetch]: async (...asked: Parameters<typeof fetch>) => {
    const response = await fetch(...asked);
    if (!response.ok) throw new Error(`The URL of the provider's keys answered ${response.status}`);
    return response;
  },
};
const DISCOVERY_TIMEOUT_MS = 3_000;

/** A token has three parts separated by dots; an API key never does. */
export function isToken(credential: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]*$/.test(credential);
}

export function createTokenReader(rules: TokenRules): TokenReader {
  const keys = createKeys(rules);
  return {
    read: async (token) => {
      const payload = await verified(token, await keys(), rules);
      assertForUs(payload, rules);
      return toPrincipal(payload, rules);
    },
  };
}

async function verified(token: string, keys: JWTVerifyGetKey, rules: TokenRules): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer: rules.issuer,
      algorithms: ALGORITHMS,
      clockTolerance: rules.clockSkewS,
      requiredClaims: ['exp', rules.userClaim],
    });
    return payload;
  } catch (error) {
    throw toTurnoutError(error);
  }
}

function toTurnoutError(error: unknown): TurnoutError {
  if (error instanceof errors.JWTExpired)
    return new TurnoutError('invalid_api_key', { message: 'The token has expired.' });
  const ours = error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid;
  if (!(error instanceof errors.JOSEError) || ours) return unavailable(error);
  return new TurnoutError('invalid_api_key', { message: 'The token is not valid.', cause: error });
}

function unavailable(cause: unknown): TurnoutError {
  return new TurnoutError('identity_unavailable', { cause, retryAfterS: 5 });
}

/** Checks the audience. Cognito's access tokens have it in `client_id`, and are marked by `token_use`. */
function assertForUs(payload: JWTPayload, { audiences }: TokenRules): void {
  const accessOfCognito = payload.aud === undefined && payload['token_use'] === 'access';
  const named = accessOfCognito ? payload['client_id'] : payload.aud;
  const forWhom = (Array.isArray(named) ? named : [named]).filter((one) => typeof one === 'string');
  if (forWhom.some((one) => audiences.includes(one))) return;
  throw new TurnoutError('invalid_api_key', { message: 'The token is for another audience.' });
}

const userId = z.string().min(1).max(200);
const groupNames = z.array(z.string().min(1).max(200)).max(1_000).catch([]);

function toPrincipal(
  payload: JWTPayload,
  { userClaim, userPrefix, groupsClaim, adminGroup }: TokenRules,
): Principal {
  const user = userId.safeParse(payload[userClaim]);
  if (!user.success)
    throw new TurnoutError('invalid_api_key', { message: `The token's ${userClaim} is not a user id.` });
  const groups = groupNames.parse(payload[groupsClaim]);
  const admin = adminGroup !== undefined && groups.includes(adminGroup);
  return { user: `${userPrefix}${user.data}`, groups, admin };
}

const discovery = z.looseObject({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

/**
 * Fetches the provider's keys with the first token. jose then caches them, and fetches them again if a token names an unknown key. A
 * failed discovery is retried with the next token.
 */
function createKeys({ issuer, jwksUrl }: TokenRules): () => Promise<JWTVerifyGetKey> {
  let found: Promise<JWTVerifyGetKey> | undefined;
  return () => {
    found ??= (jwksUrl === undefined ? discover(issuer) : Promise.resolve(jwksUrl))
      .then((url) => createRemoteJWKSet(new URL(url), JWKS))
      .catch((error: unknown) => {
        found = undefined;
        throw unavailable(error);
      });
    return found;
  };
}

async function discover(issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(DISCOVERY_TIMEOUT_MS) });
  if (!response.ok) throw new Error(`The discovery document's URL answered ${response.status}`);
  const document = discovery.parse(await response.json());
  if (document.issuer !== issuer) throw new Error('The discovery document names another issuer');
  return document.jwks_uri;
}
