import { type Assistant } from './assistant-file.ts';

/** The user who sent a request. */
export interface AssistantUser {
  user: string;
  groups: readonly string[];
}

/** Whether the user may use an assistant, by its `access`. To other users, the assistant must look as if it did not exist. */
export function mayUse({ access }: Pick<Assistant, 'access'>, { user, groups }: AssistantUser): boolean {
  if (!access) return true;
  return access.users.includes(user) || groups.some((group) => access.groups.includes(group));
}
