/** The authenticated sender of a request, by key or by token. Access and limits depend only on these fields. */
export interface Principal {
  user: string;
  /** The user's groups. */
  groups: readonly string[];
  /** True if the user may use the admin routes. */
  admin: boolean;
  /** The id of the API key; undefined for a token of the identity provider. */
  keyId?: string | undefined;
}
