import { type ErrorCode } from '../../../shared/platform/errors/catalogue.ts';
import { type DocumentPassage } from './cut-into-passages.ts';
import { type Cosines } from './rank-candidates.ts';

/** Cosines, or the reason why there are none; then documents are compared by words only. */
export type Compared = { cosines: Cosines } | { degraded: ErrorCode };

/** How near a document's passages are to the question in meaning. Missing vectors never cause a rejection. */
export interface Similarity {
  /** The nearest passages of the document; undefined if its vectors are not stored. */
  nearest(count: number): Promise<Compared | undefined>;
  /** Embeds these passages now and compares them. */
  compare(passages: readonly DocumentPassage[]): Promise<Compared>;
}
