/** Whoever sent a request, however he showed who he is: all that access and limits go by. */
export interface Principal {
  user: string;
  /** The groups that he belongs to. */
  groups: readonly string[];
  /** The admin routes answer to him. */
  admin: boolean;
  /** The id of the API key; undefined for a token of the identity provider. */
  keyId?: string | undefined;
}
