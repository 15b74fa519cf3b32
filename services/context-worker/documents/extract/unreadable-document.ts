/** Why a document cannot be read, as the end of a sentence: "The document cannot be read: ...". Safe for clients. */
export const reasons = {
  damaged: 'it is damaged, or its content does not match its file type',
  password: 'it is protected by a password',
  not_text: 'it is not text',
  no_text: 'there is no text in it',
  too_much_text: 'it has more text than is allowed',
  too_deep: 'its parts are nested too deeply',
  too_slow: 'reading it takes longer than is allowed',
  too_large: 'reading it takes more memory than is allowed',
} as const;
export type Reason = keyof typeof reasons;

/** The document itself cannot be read; retrying does not help. */
export class UnreadableDocument extends Error {
  override readonly name = 'UnreadableDocument';
  readonly reason: Reason;

  constructor(reason: Reason, options?: ErrorOptions) {
    super(reasons[reason], options);
    this.reason = reason;
  }
}
