export const DOCUMENTS_PLAN = {
  pages: 200,
  /** One after another. */
  documents: 40,
  /** Questions about each after its first. */
  nextQuestions: 5,
  /** Uploaded at the same time. */
  crowd: 6,
  everyMs: 10,
  /** For a document's text, or its vectors. */
  timeoutMs: 60_000,
} as const;
