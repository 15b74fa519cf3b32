import { describe, expect, test } from '@jest/globals';
import { entitlementOf } from './entitlement.ts';
import { readPolicy } from './policy-file.ts';

function policy(yaml: string) {
  const read = readPolicy(yaml);
  if ('problems' in read) throw new Error(read.problems.join());
  return read.value;
}

const POLICY = policy(`
default:
  models: [small]
  weight: 1
  requests_per_minute: 10
  budget: { daily_usd: 1, monthly_tokens: 100 }
groups:
  research:
    models: [gpt-5*]
    weight: 4
    budget: { daily_usd: 5, monthly_tokens: 500 }
    shared_budget: { monthly_usd: 1000 }
  interns:
    models: [tiny]
    weight: 2
    budget: { daily_usd: 2 }
users:
  ada: { models: ['*'], weight: 0.5 }
`);

const of = (user: string, ...groups: string[]) => entitlementOf(POLICY, { user, groups });

describe('a user without a group', () => {
  test('has the default', () => {
    expect(of('eve')).toMatchObject({ weight: 1, requestsPerMinute: 10, tokensPerMinute: undefined });
    expect(['small', 'smaller', 'gpt-5'].map((model) => of('eve').mayUseModel(model))).toEqual([
      true,
      false,
      false,
    ]);
  });

  test('has the default if the policy does not know their groups', () => {
    expect(of('eve', 'nobody').weight).toBe(1);
  });
});

describe('a user in two groups', () => {
  const both = of('bob', 'research', 'interns');

  test('has the models of both, and the larger weight', () => {
    expect(['gpt-5-mini', 'tiny', 'small'].map((model) => both.mayUseModel(model))).toEqual([
      true,
      true,
      false,
    ]);
    expect(both.weight).toBe(4);
    expect(both.requestsPerMinute).toBe(10);
  });
});

test('each budget line is the highest of the user’s groups, or unlimited if one group does not limit it', () => {
  expect(of('bob', 'research', 'interns').budgets).toEqual([
    { group: undefined, daily_usd: 5 },
    { group: 'research', monthly_usd: 1_000 },
  ]);
  expect(of('eve').budgets).toEqual([{ group: undefined, daily_usd: 1, monthly_tokens: 100 }]);
});

test('a user’s own entry overrides their groups', () => {
  const ada = of('ada', 'research');
  expect(ada.weight).toBe(0.5);
  expect(ada.mayUseModel('anything')).toBe(true);
});

test.each([
  ['default: {modles: []}', 'default: Unrecognized key: "modles"'],
  ["default: {models: ['a*b']}", 'default.models[0]: may contain one *, at the end'],
  ['users: {ada: {weight: 0}}', 'users.ada.weight: Too small: expected number to be >=0.01'],
  ['default: [', 'Flow sequence in block collection must be sufficiently indented'],
])('%s is reported as invalid', (yaml, problem) => {
  expect(readPolicy(yaml)).toEqual({ problems: [expect.stringContaining(problem)] });
});

test('an empty file sets no restrictions', () => {
  expect(readPolicy('{}')).toEqual({ value: { default: {}, groups: {}, users: {} } });
});
