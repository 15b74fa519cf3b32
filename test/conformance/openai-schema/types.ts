export type { ChatCompletion, ChatCompletionChunk } from 'openai/resources/chat/completions';
export type { FileDeleted, FileObject } from 'openai/resources/files';
export type { Response, ResponseStreamEvent } from 'openai/resources/responses/responses';
export type { ResponseItemList } from 'openai/resources/responses/input-items';
