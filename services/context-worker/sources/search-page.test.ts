import { describe, expect, test } from '@jest/globals';
import { readSearchPage } from './search-page.ts';

const page = (...data: unknown[]) => JSON.stringify({ object: 'vector_store.search_results.page', data });
const text = (said: string) => ({ type: 'text', text: said });

describe('readSearchPage', () => {
  test('reads texts and origins in the format of OpenAI', () => {
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

  test('a title and a URL among the attributes win over the file name', () => {
    const attributes = { title: 'Night trains', url: 'https://wiki.example.org/trains' };
    expect(readSearchPage(page({ filename: '1.md', attributes, content: [text('One.')] }))).toEqual([
      { text: 'One.', from: { title: attributes.title, url: attributes.url } },
    ]);
  });

  test.each(['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'https://', '/trains', ''])(
    'an address that is not safe to show as a link is dropped: %j',
    (url) => {
      const [result] = readSearchPage(page({ attributes: { url }, content: [text('One.')] }));
      expect(result?.from).toEqual({});
    },
  );

  test('results without text are left out', () => {
    const image = { type: 'image', image_url: 'x' };
    expect(readSearchPage(page({ content: [] }, { content: [image] }, { content: [text(' ')] }))).toEqual([]);
    expect(readSearchPage(page())).toEqual([]);
  });

  test.each(['', 'null', '[]', '{}', '{"data":{}}', '{"data":[{"content":"text"}]}', '<html>'])(
    'anything but a page of results is an error: %j',
    (body) => {
      expect(() => readSearchPage(body)).toThrow();
    },
  );
});
