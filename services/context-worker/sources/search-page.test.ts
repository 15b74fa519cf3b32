import { describe, expect, test } from '@jest/globals';
import { readSearchPage } from './search-page.ts';

const page = (...data: unknown[]) => JSON.stringify({ object: 'vector_store.search_results.page', data });
const text = (said: string) => ({ type: 'text', text: said });

describe('readSearchPage', () => {
  test('takes texts, scores and origins, as OpenAI writes them', () => {
    const result = {
      file_id: 'file-1',
      filename: 'trains.md',
      score: 0.9,
      attributes: { author: 'Ada', year: 2_026 },
      content: [text('One.'), text('Two.')],
    };
    expect(readSearchPage(page(result))).toEqual([
      { text: 'One.\nTwo.', from: { title: 'trains.md', fileId: 'file-1' } },
    ]);
  });

  test('a title and an address among the attributes tell the origin better than a file name', () => {
    const attributes = { title: 'Night trains', url: 'https://wiki.example.org/trains' };
    expect(readSearchPage(page({ filename: '1.md', attributes, content: [text('One.')] }))).toEqual([
      { text: 'One.', from: { title: attributes.title, url: attributes.url } },
    ]);
  });

  test.each(['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'https://', '/trains', ''])(
    'an address that no client should show as a link does not come through: %j',
    (url) => {
      const [result] = readSearchPage(page({ attributes: { url }, content: [text('One.')] }));
      expect(result?.from).toEqual({});
    },
  );

  test('what holds no text is left out', () => {
    const image = { type: 'image', image_url: 'x' };
    expect(readSearchPage(page({ content: [] }, { content: [image] }, { content: [text(' ')] }))).toEqual([]);
    expect(readSearchPage(page())).toEqual([]);
  });

  test.each(['', 'null', '[]', '{}', '{"data":{}}', '{"data":[{"content":"text"}]}', '<html>'])(
    'what is no page of results is an error: %j',
    (body) => {
      expect(() => readSearchPage(body)).toThrow();
    },
  );
});
