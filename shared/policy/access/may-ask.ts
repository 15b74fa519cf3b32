import { type RetrievalSource } from '../../platform/config/retrieval-sources.ts';
import { type Principal } from './principal.ts';

/** Whether somebody may have passages of a retrieval service. For who may not, it is as if there were none of that name. */
export function mayAsk(
  { groups: allowed }: Pick<RetrievalSource, 'groups'>,
  { groups }: Pick<Principal, 'groups'>,
): boolean {
  return !allowed || groups.some((group) => allowed.includes(group));
}
