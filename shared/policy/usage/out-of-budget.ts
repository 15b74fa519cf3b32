import { TurnoutError } from '../../platform/errors/turnout-error.ts';
import { type Exhausted } from './budgets.ts';

/** The error for a user whose remaining budget does not cover a job. `now`: milliseconds since the epoch. */
export function outOfBudget(
  { group, period, kind, limit, spent, reserved, until }: Exhausted,
  now: number,
): TurnoutError {
  const whose = group === undefined ? 'Your' : `The group ${group}'s`;
  const of = (amount: number) =>
    kind === 'tokens' ? `${amount} tokens` : `$${Number(amount.toPrecision(4))}`;
  const advice =
    reserved > 0 ? ' Wait until those jobs have ended, or limit the answer with max_completion_tokens.' : '';
  return new TurnoutError('insufficient_quota', {
    message: `${whose} budget of ${of(limit)} a ${period} does not cover this request: ${of(spent)} are spent, and ${of(reserved)} are reserved for open jobs.${advice}`,
    retryAfterS: Math.ceil((until - now) / 1_000),
  });
}
