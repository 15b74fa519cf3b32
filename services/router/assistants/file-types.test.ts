import { expect, test } from '@jest/globals';
import { isOfType } from './file-types.ts';

const DOCX = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';

test.each([
  ['pdf', 'a.pdf', 'application/pdf', true],
  ['pdf', 'called.pdf', 'text/plain', false],
  ['docx', 'a.docx', DOCX, true],
  ['html', 'a', 'application/xhtml+xml', true],
  ['html', 'a', 'text/html', true],
  ['text', 'a.csv', 'text/csv', true],
  ['text', 'a.pdf', 'application/pdf', false],
  ['text', 'a.html', 'text/html', false],
  ['csv', 'Report.CSV', 'text/plain', true],
  ['.csv', 'report.csv', 'text/csv', true],
  ['csv', 'csv', 'text/plain', false],
  ['text/csv', 'a', 'text/csv', true],
  ['text/*', 'a', 'Text/Markdown', true],
  ['text/*', 'a', 'application/json', false],
  ['constructor', 'a.constructor', 'text/plain', true],
])('type %s matches a document %s of %s: %s', (type, name, mediaType, expected) => {
  expect(isOfType({ name, mediaType }, ['nothing', type])).toBe(expected);
});

test('an assistant without file types matches no document', () => {
  expect(isOfType({ name: 'a.pdf', mediaType: 'application/pdf' }, [])).toBe(false);
});
