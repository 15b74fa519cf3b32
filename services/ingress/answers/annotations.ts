import { type ResponseOutputText } from 'openai/resources/responses/responses';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';

type CitationEvent = Extract<JobEvent, { type: 'citation' }>;
export type Annotation = ResponseOutputText.FileCitation | ResponseOutputText.URLCitation;

/**
 * A citation as OpenAI's annotation of a text: of a page on the web where the passage has an address, else of a file, whose
 * mark belongs behind the sentence. What was not uploaded has no file id: there stands the name of the piece of context.
 */
export function toAnnotation({ start, end, source, name, fileId, url }: CitationEvent): Annotation {
  if (url !== undefined)
    return { type: 'url_citation', url, title: name, start_index: start, end_index: end };
  return { type: 'file_citation', file_id: fileId ?? source, filename: name, index: end };
}

/** The same in Chat Completions, where each kind has a member of its own. */
export function toChatAnnotation(event: CitationEvent): object {
  const { type, ...citation } = toAnnotation(event);
  return { type, [type]: citation };
}
