import { z } from 'zod';

/** One passage that a retrieval service found. */
export interface SearchResult {
  text: string;
  from: { title?: string; url?: string; fileId?: string };
}

/** OpenAI's `vector_store.search_results.page`. Missing fields are accepted, so that the rest can be used. */
const searchPage = z.looseObject({
  data: z
    .array(
      z.looseObject({
        file_id: z.string().max(200).nullish(),
        filename: z.string().max(1_000).nullish(),
        attributes: z.record(z.string(), z.unknown()).nullish(),
        content: z.array(z.looseObject({ type: z.string(), text: z.string().optional() })),
      }),
    )
    .max(1_000),
});

/** Throws if the text is not a page of search results. */
export function readSearchPage(text: string): SearchResult[] {
  return searchPage.parse(JSON.parse(text)).data.flatMap(({ content, ...result }) => {
    const said = content.flatMap((part) => (part.type === 'text' && part.text ? [part.text] : [])).join('\n');
    return said.trim() === '' ? [] : [{ text: said, from: originOf(result) }];
  });
}

function originOf({
  file_id: fileId,
  filename,
  attributes,
}: Pick<
  z.infer<typeof searchPage>['data'][number],
  'file_id' | 'filename' | 'attributes'
>): SearchResult['from'] {
  const title = textAttribute(attributes, 'title') ?? filename ?? undefined;
  const url = webAddress(textAttribute(attributes, 'url'));
  return {
    ...(title ? { title } : {}),
    ...(url === undefined ? {} : { url }),
    ...(fileId ? { fileId } : {}),
  };
}

function textAttribute(
  attributes: Record<string, unknown> | null | undefined,
  name: string,
): string | undefined {
  const value = attributes?.[name];
  return typeof value === 'string' && value !== '' ? value.slice(0, 2_000) : undefined;
}

/** Clients show the address as a link, so only http and https are accepted. */
function webAddress(url: string | undefined): string | undefined {
  return url !== undefined && /^https?:\/\//i.test(url) && URL.canParse(url) ? url : undefined;
}
