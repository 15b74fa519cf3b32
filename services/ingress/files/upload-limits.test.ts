import { describe, expect, test } from '@jest/globals';
import { entitlementOf } from '../../../shared/policy/access/entitlement.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Exhausted } from '../../../shared/policy/usage/budgets.ts';
import { createUploadLimits } from './upload-limits.ts';

interface Situation {
  exhausted?: Exhausted;
  stored?: number;
  tooFast?: boolean;
}

function limitsWith({ exhausted, stored = 0, tooFast = false }: Situation) {
  const log: string[] = [];
  const grant = { requests_per_minute: 2, stored_bytes: 1_000, budget: { daily_tokens: 10 } };
  const limits = createUploadLimits({
    policy: { of: (who) => entitlementOf({ default: grant, groups: {}, users: {} }, who) },
    rates: {
      take: () => {
        log.push('rate');
        return tooFast ? Promise.reject(new TurnoutError('rate_limit_exceeded')) : Promise.resolve();
      },
    },
    budgets: {
      reserve: () => (log.push('budget'), Promise.resolve(exhausted)),
      release: () => (log.push('released'), Promise.resolve()),
    },
    files: { storedBytes: () => Promise.resolve(stored) },
    userHash: (user: string) => user,
    storedBytes: 1e9,
  });
  const caller = { user: 'ada', groups: [] };
  return { log, admit: () => limits.admit({ fileId: 'file-1', caller, onRates: () => undefined }) };
}

describe('an upload', () => {
  test('counts as a request and keeps no budget reservation', async () => {
    const { log, admit } = limitsWith({});
    expect(await admit()).toBe(1_000);
    expect(log).toEqual(['rate', 'budget', 'released']);
  });

  test('is rejected before it is read when it exceeds a limit per minute', async () => {
    const { log, admit } = limitsWith({ tooFast: true });
    await expect(admit()).rejects.toMatchObject({ code: 'rate_limit_exceeded', status: 429 });
    expect(log).toEqual(['rate']);
  });

  test('is rejected when a budget is exhausted', async () => {
    const line = { group: undefined, period: 'day', kind: 'tokens', limit: 10, spent: 10 } as const;
    const { admit } = limitsWith({ exhausted: { ...line, reserved: 0, until: Date.now() + 1_000 } });
    await expect(admit()).rejects.toMatchObject({ code: 'insufficient_quota', status: 429 });
  });

  test('is rejected with advice when the user has reached the storage limit', async () => {
    const { admit } = limitsWith({ stored: 1_000 });
    await expect(admit()).rejects.toMatchObject({
      code: 'storage_limit_exceeded',
      status: 413,
      message: expect.stringContaining('Delete some'),
    });
  });
});
