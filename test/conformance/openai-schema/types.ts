/** The types of a server's answers, exported for the schema generator. */
export type { ChatCompletion, ChatCompletionChunk } from 'openai/resources/chat/completions';
export type { FileDeleted, FileObject } from 'openai/resources/files';
export type { Model } from 'openai/resources/models';
export type { Response, ResponseStreamEvent } from 'openai/resources/responses/responses';
export type { ResponseItemList } from 'openai/resources/responses/input-items';
export type { ErrorObject } from 'openai/resources/shared';
