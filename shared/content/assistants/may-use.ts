import { type Assistant } from './assistant-file.ts';

/** Whoever sent a request. */
export interface AssistantUser {
  user: string;
  groups: readonly string[];
}

/** Whether an assistant's `access` lets somebody use it. Who may not is told the same as where there is no such assistant. */
export function mayUse({ access }: Pick<Assistant, 'access'>, { user, groups }: AssistantUser): boolean {
  if (!access) return true;
  return access.users.includes(user) || groups.some((group) => access.groups.includes(group));
}
