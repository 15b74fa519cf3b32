import { type RetrievalSource } from '../../platform/config/retrieval-sources.ts';
import { type Principal } from './principal.ts';

/** Whether a user may get passages of a retrieval service. Sources that a user may not use are treated as nonexistent. */
export function mayAsk(
  { groups: allowed }: Pick<RetrievalSource, 'groups'>,
  { groups }: Pick<Principal, 'groups'>,
): boolean {
  return !allowed || groups.some((group) => allowed.includes(group));
}
