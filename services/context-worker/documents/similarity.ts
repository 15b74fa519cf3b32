import { type ErrorCode } from '../../../shared/platform/errors/catalogue.ts';
import { type DocumentPassage } from './cut-into-passages.ts';
import { type Cosines } from './rank-candidates.ts';

/** Cosines, or why there are none: then words alone are compared. */
export type Compared = { cosines: Cosines } | { degraded: ErrorCode };

/** How near a document's passages are to the question by their meaning. Nothing here rejects for want of vectors. */
export interface Similarity {
  /** The nearest passages of all, where the document's vectors are stored; undefined where they are not. */
  nearest(count: number): Promise<Compared | undefined>;
  /** Those passages, on the spot. */
  compare(passages: readonly DocumentPassage[]): Promise<Compared>;
}
