import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { createTokenReader, isToken, tokenRules, type TokenRules } from './tokens.ts';

type PrivateKey = Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];

let server: Server;
let issuer: string;
let keys: object[];
let asked: string[];
let privateKey: PrivateKey;

/** A fake identity provider with a discovery document and keys. */
beforeEach(async () => {
  const pair = await generateKeyPair('RS256');
  privateKey = pair.privateKey;
  keys = [{ ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'RS256' }];
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const body = request.url === '/jwks' ? { keys } : { issuer, jwks_uri: `${issuer}/jwks` };
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => new Promise((resolve) => server.close(resolve)));

function reader(over: Partial<TokenRules> = {}) {
  return createTokenReader({
    issuer,
    audiences: ['turnout'],
    userClaim: 'sub',
    groupsClaim: 'groups',
    adminGroup: 'ops',
    clockSkewS: 30,
    jwksUrl: undefined,
    userPrefix: '',
    ...over,
  });
}

const CLAIMS = { sub: 'ada', aud: 'turnout', groups: ['staff'] };

function token(claims: JWTPayload, { expiresIn = 60, key = privateKey, kid = 'one', alg = 'RS256' } = {}) {
  return new SignJWT({ iss: issuer, exp: Math.floor(Date.now() / 1_000) + expiresIn, ...claims })
    .setProtectedHeader({ alg, kid })
    .sign(key);
}

describe('a token of the provider', () => {
  test('identifies a user with their groups', async () => {
    const principal = await reader().read(await token(CLAIMS));
    expect(principal).toEqual({ user: 'ada', groups: ['staff'], admin: false });
  });

  test('gets a prefix, so that its user cannot be a user of the API keys', async () => {
    const config = {
      OIDC_ISSUER: `${issuer}/`,
      OIDC_AUDIENCES: ['turnout'],
      OIDC_USER_CLAIM: 'sub',
      OIDC_GROUPS_CLAIM: 'groups',
      OIDC_ADMIN_GROUP: undefined,
      OIDC_CLOCK_SKEW_S: 30,
      OIDC_JWKS_URL: `${issuer}/jwks`,
    };
    const userWith = async (prefix: string | undefined) => {
      const rules = tokenRules({ ...config, OIDC_USER_PREFIX: prefix });
      return rules && (await reader({ ...rules, issuer }).read(await token(CLAIMS))).user;
    };
    expect(await userWith(undefined)).toBe(`${new URL(issuer).host}|ada`);
    expect(await userWith('corp:')).toBe('corp:ada');
    expect(await userWith('none')).toBe('ada');
  });

  test('of a member of the admin group is an admin', async () => {
    expect(await reader().read(await token({ ...CLAIMS, groups: ['ops'] }))).toMatchObject({ admin: true });
  });

  test('of Cognito names its audience in client_id, and its groups in another claim', async () => {
    const cognito = { sub: 'ada', token_use: 'access', client_id: 'turnout', 'cognito:groups': ['a'] };
    const rules = { groupsClaim: 'cognito:groups' };
    expect(await reader(rules).read(await token(cognito))).toMatchObject({ user: 'ada', groups: ['a'] });
    const other = await token({ ...cognito, client_id: 'another' });
    await expect(reader(rules).read(other)).rejects.toMatchObject({ code: 'invalid_api_key' });
  });

  test('may be expired by at most the allowed clock skew', async () => {
    expect(await reader().read(await token(CLAIMS, { expiresIn: -20 }))).toMatchObject({ user: 'ada' });
    await expect(reader().read(await token(CLAIMS, { expiresIn: -40 }))).rejects.toMatchObject({
      message: 'The token has expired.',
    });
  });

  test('needs no request once the keys are known', async () => {
    const tokens = reader();
    for (let i = 0; i < 5; i += 1) await tokens.read(await token(CLAIMS));
    expect(asked).toEqual(['/.well-known/openid-configuration', '/jwks']);
  });
});

describe('a token is rejected', () => {
  const refused = async (made: Promise<string>, rules: Partial<TokenRules> = {}) =>
    expect(reader(rules).read(await made)).rejects.toMatchObject({ code: 'invalid_api_key', status: 401 });

  test.each([
    ['for another audience', { ...CLAIMS, aud: 'another' }],
    ['without an audience', { sub: 'ada' }],
    ['of another issuer', { ...CLAIMS, iss: 'https://elsewhere.example' }],
    ['without a user', { aud: 'turnout' }],
    ['whose user is empty', { ...CLAIMS, sub: '' }],
    [
      'that is an ID token with a client_id but no audience',
      { sub: 'ada', token_use: 'id', client_id: 'turnout' },
    ],
    ['that is not valid yet', { ...CLAIMS, nbf: Math.floor(Date.now() / 1_000) + 300 }],
  ])('%s', (_what, claims: JWTPayload) => refused(token(claims)));

  test('that is signed with another key', async () => {
    const { privateKey: another } = await generateKeyPair('RS256');
    await refused(token(CLAIMS, { key: another }));
  });

  test('that is signed with the public key as a shared secret', async () => {
    const secret = new TextEncoder().encode(JSON.stringify(keys[0]));
    const forged = new SignJWT({ iss: issuer, exp: Math.floor(Date.now() / 1_000) + 60, ...CLAIMS })
      .setProtectedHeader({ alg: 'HS256', kid: 'one' })
      .sign(secret);
    await refused(forged);
  });

  test('that is not signed', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { iss: issuer, exp: Math.floor(Date.now() / 1_000) + 60, ...CLAIMS };
    await refused(Promise.resolve(`${part({ alg: 'none' })}.${part(claims)}.`));
  });
});

test('an unreachable provider causes a 503, and is asked again with the next token', async () => {
  const tokens = reader({ jwksUrl: `${issuer}/jwks` });
  const good = await token(CLAIMS);
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  await expect(tokens.read(good)).rejects.toMatchObject({ code: 'identity_unavailable', status: 503 });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  expect(await tokens.read(good)).toMatchObject({ user: 'ada' });
});

test('an API key is not a token', () => {
  expect(isToken(`sk-turnout-${'a'.repeat(43)}`)).toBe(false);
  expect(isToken('eyJh.eyJz.c2ln')).toBe(true);
});
