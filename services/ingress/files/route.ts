import multipart from '@fastify/multipart';
import { type FastifyInstance, type FastifyRequest } from 'fastify';
import { type z } from 'zod';
import { fileId } from '../../../shared/platform/ids.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { filePurpose, type StoredFile } from '../../../shared/content/files/stored-file.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { pageQueryOf, toPage } from '../http/pagination.ts';
import { type TakeUploadDeps, takeUpload } from './take-upload.ts';
import { attachmentHeader } from './file-name.ts';
import { fileObject } from './file-object.ts';

export interface FileRoutesDeps extends TakeUploadDeps {
  caller: (request: FastifyRequest) => Principal;
}

const MAX_LIMIT = 10_000;

const listQuery = pageQueryOf({ max: MAX_LIMIT, usual: MAX_LIMIT }).extend({
  after: fileId.optional(),
  purpose: filePurpose.optional(),
});
type ListQuery = z.infer<typeof listQuery>;

interface OfOne {
  Params: { fileId: string };
}

/** OpenAI's `/v1/files`. Callers see only their own files. */
export async function fileRoutes(api: FastifyInstance, deps: FileRoutesDeps): Promise<void> {
  await api.register(multipart);
  // No route here takes JSON, but OpenAI's Python SDK sends `content-type: application/json` with its DELETE, which has no body.
  if (api.hasContentTypeParser('application/json')) api.removeContentTypeParser('application/json');
  api.addContentTypeParser('application/json', (_request, body, done) => {
    body.resume();
    done(null);
  });
  const tags = ['Files'];
  const userOf = (request: FastifyRequest) => deps.caller(request).user;
  const find = (request: FastifyRequest<OfOne>) => findFile(deps, userOf(request), request.params.fileId);

  api.post(
    '/v1/files',
    { schema: { summary: 'Upload a file', tags, consumes: ['multipart/form-data'] } },
    (request, reply) => {
      const onRates = (headers: Readonly<Record<string, string>>) => void reply.headers(headers);
      return takeUpload(deps, { caller: deps.caller(request), onRates }, request);
    },
  );
  api.get<{ Querystring: ListQuery }>(
    '/v1/files',
    { schema: { querystring: listQuery, summary: 'List files', tags } },
    async (request) => {
      const { files, hasMore } = await deps.files.list(userOf(request), request.query);
      return toPage(files.map(fileObject), hasMore);
    },
  );
  api.get<OfOne>('/v1/files/:fileId', { schema: { summary: 'Retrieve a file', tags } }, async (request) =>
    fileObject(await find(request)),
  );
  api.get<OfOne>(
    '/v1/files/:fileId/content',
    { schema: { summary: "Retrieve a file's content", tags } },
    async (request, reply) => {
      const { content, filename } = await find(request);
      // Never serve the sender's media type: a browser would display the file as a page of this origin.
      reply.header('content-type', 'application/octet-stream');
      reply.header('content-disposition', attachmentHeader(filename));
      reply.header('x-content-type-options', 'nosniff');
      reply.header('content-length', content.bytes);
      return reply.send(await deps.blobs.openStream(content));
    },
  );
  api.delete<OfOne>('/v1/files/:fileId', { schema: { summary: 'Delete a file', tags } }, async (request) => {
    const { fileId: id } = request.params;
    if (!(await deps.files.remove(userOf(request), id))) throw noSuchFile();
    return { id, object: 'file', deleted: true };
  });
}

async function findFile({ files }: FileRoutesDeps, user: string, id: string): Promise<StoredFile> {
  const file = await files.find(user, id);
  if (!file) throw noSuchFile();
  return file;
}

function noSuchFile(): TurnoutError {
  return new TurnoutError('file_not_found', { param: 'file_id' });
}
