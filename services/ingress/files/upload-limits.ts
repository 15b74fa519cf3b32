import { type Policy } from '../../../shared/policy/access/policy.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { type FileRegistry, storageFull } from '../../../shared/content/files/file-registry.ts';
import { type Budgets } from '../../../shared/policy/usage/budgets.ts';
import { outOfBudget } from '../../../shared/policy/usage/out-of-budget.ts';
import { rateHeaders, type RateLimits } from '../admission/rate-limits.ts';
import { storing } from '../http/storing.ts';

export interface Upload {
  fileId: string;
  caller: Pick<Principal, 'user' | 'groups'>;
  /** Receives the rate-limit headers to return to the client. */
  onRates: (headers: Readonly<Record<string, string>>) => void;
}

/** Checks whether a user may upload, before any byte is read. */
export interface UploadLimits {
  /**
   * Returns the maximum bytes of everything that the user stores. Throws:
   *
   * - `rate_limit_exceeded`: an upload counts as a request.
   * - `insufficient_quota`: text extraction and embedding cost CPU and money, so an exhausted budget allows no uploads.
   * - `storage_limit_exceeded`, `store_unavailable`.
   */
  admit(upload: Upload): Promise<number>;
}

interface UploadLimitsOptions {
  policy: Pick<Policy, 'of'>;
  rates: Pick<RateLimits, 'take'>;
  budgets: Pick<Budgets, 'reserve' | 'release'>;
  files: Pick<FileRegistry, 'storedBytes'>;
  userHash: (user: string) => string;
  /** The default if the policy sets no limit. Bytes. */
  storedBytes: number;
}

/** The smallest amounts that a budget counts. A budget without even these left is exhausted. Tokens and US dollars. */
const LEAST = { tokens: 1, cost: 1e-12 };

export function createUploadLimits(options: UploadLimitsOptions): UploadLimits {
  const { policy, rates, budgets, files, userHash, storedBytes } = options;

  async function assertBudget({ fileId, caller }: Upload): Promise<void> {
    const { budgets: lines } = policy.of(caller);
    const asked = { jobId: fileId, userHash: userHash(caller.user), estimate: LEAST, budgets: lines };
    const exhausted = await budgets.reserve(asked);
    if (exhausted) throw outOfBudget(exhausted, Date.now());
    if (lines.length > 0) await budgets.release(fileId);
  }

  return {
    admit: (upload) =>
      storing(async () => {
        const { user } = upload.caller;
        const entitlement = policy.of(upload.caller);
        const { requestsPerMinute } = entitlement;
        const asked = { user, tokens: 0, entitlement: { requestsPerMinute, tokensPerMinute: undefined } };
        await rates.take(asked, (state) => upload.onRates(rateHeaders(state)));
        await assertBudget(upload);
        const quota = entitlement.storedBytes ?? storedBytes;
        if ((await files.storedBytes(user)) >= quota) throw storageFull(quota, 'file');
        return quota;
      }),
  };
}
