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

describe('who is in no group', () => {
  test('has the default', () => {
    expect(of('eve')).toMatchObject({ weight: 1, requestsPerMinute: 10, tokensPerMinute: undefined });
    expect(['small', 'smaller', 'gpt-5'].map((model) => of('eve').mayUseModel(model))).toEqual([
      true,
      false,
      false,
    ]);
  });

  test('has the default where his groups are unknown', () => {
    expect(of('eve', 'nobody').weight).toBe(1);
  });
});

describe('who is in two groups', () => {
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

test('of each budget line he has the highest of his groups, and none where one of them leaves it open', () => {
  expect(of('bob', 'research', 'interns').budgets).toEqual([
    { group: undefined, daily_usd: 5 },
    { group: 'research', monthly_usd: 1_000 },
  ]);
  expect(of('eve').budgets).toEqual([{ group: undefined, daily_usd: 1, monthly_tokens: 100 }]);
});

test('what a user has of his own goes before his groups', () => {
  const ada = of('ada', 'research');
  expect(ada.weight).toBe(0.5);
  expect(ada.mayUseModel('anything')).toBe(true);
});

test.each([
  ['default: {modles: []}', 'default: Unrecognized key: "modles"'],
  ["default: {models: ['a*b']}", 'default.models[0]: may have one *, at its end'],
  ['users: {ada: {weight: 0}}', 'users.ada.weight: Too small: expected number to be >=0.01'],
  ['default: [', 'Flow sequence in block collection must be sufficiently indented'],
])('%s is said to be wrong', (yaml, problem) => {
  expect(readPolicy(yaml)).toEqual({ problems: [expect.stringContaining(problem)] });
});

test('an empty file is no policy: everybody may do everything', () => {
  expect(readPolicy('{}')).toEqual({ value: { default: {}, groups: {}, users: {} } });
});
