import { roughTokens } from '../../../shared/joblog/lost-call.ts';
import { estimatedTokens } from '../../../shared/scheduling/job-cost.ts';
import { type TakenDocuments } from '../take-documents.ts';

/** Tokens that a request will probably take; of its documents, the passages are chosen later, so their texts count as they are. */
export function roughTokensOf({ request, documents }: TakenDocuments): number {
  const texts = documents.reduce(
    (sum, { content }) => sum + (content.kind === 'inline' ? Buffer.byteLength(content.text) : 0),
    0,
  );
  const prompt = roughTokens(Buffer.byteLength(JSON.stringify(request.messages)) + texts);
  return estimatedTokens({ kind: 'inline', request }, prompt);
}
