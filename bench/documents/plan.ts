export const DOCUMENTS_PLAN = {
  pages: 200,
  /** Documents that are measured in sequence. */
  documents: 40,
  /** Questions about each document after its first one. */
  nextQuestions: 5,
  /** Documents that are uploaded at the same time. */
  crowd: 6,
  everyMs: 10,
  /** The timeout for a document's text, and for its vectors. */
  timeoutMs: 60_000,
} as const;
