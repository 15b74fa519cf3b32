import { type ResponseOutputText } from 'openai/resources/responses/responses';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';

type CitationEvent = Extract<JobEvent, { type: 'citation' }>;
export type Annotation = ResponseOutputText.FileCitation | ResponseOutputText.URLCitation;

/**
 * Converts a citation to an OpenAI annotation: a URL citation if the passage has a web address, else a file citation whose
 * `index` is the end of the cited sentence. A source that was not uploaded has no file id; the name of its context source stands
 * in for it.
 */
export function toAnnotation({ start, end, source, name, fileId, url }: CitationEvent): Annotation {
  if (url !== undefined)
    return { type: 'url_citation', url, title: name, start_index: start, end_index: end };
  return { type: 'file_citation', file_id: fileId ?? source, filename: name, index: end };
}

/** The same for Chat Completions, where the citation is nested under its type. */
export function toChatAnnotation(event: CitationEvent): object {
  const { type, ...citation } = toAnnotation(event);
  return { type, [type]: citation };
}
