import { describe, expect, test } from '@jest/globals';
import { chatRequest } from '../../shared/contracts/chat-request.ts';
import { takeDocuments } from './take-documents.ts';

const file = (filename: string | undefined, text: string) => ({
  type: 'file',
  file: {
    ...(filename === undefined ? {} : { filename }),
    file_data: `data:text/plain;base64,${Buffer.from(text).toString('base64')}`,
  },
});
const say = (text: string) => ({ type: 'text', text });
const request = (...messages: unknown[]) => chatRequest.parse({ model: 'm', temperature: 0.5, messages });

describe('takeDocuments', () => {
  test('a request without files is handed on as it is', () => {
    const plain = request({ role: 'user', content: 'What is a turnout?' });
    const taken = takeDocuments(plain);
    expect(taken.request).toBe(plain);
    expect(taken).toMatchObject({ documents: [], question: 'What is a turnout?' });
  });

  test('takes the files of all messages out, numbered through, and leaves everything else', () => {
    const image = { type: 'image_url', image_url: { url: 'https://example.org/a.png' } };
    const taken = takeDocuments(
      request(
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: [file('a.txt', 'Alpha'), say('What is in a?'), image], name: 'ann' },
        { role: 'assistant', content: 'Alpha.' },
        { role: 'user', content: [say('And in these?'), file('b.txt', 'Beta'), file(undefined, 'Gamma')] },
      ),
    );
    expect(taken.documents).toEqual([
      { index: 0, name: 'a.txt', mediaType: 'text/plain', text: 'Alpha' },
      { index: 1, name: 'b.txt', mediaType: 'text/plain', text: 'Beta' },
      { index: 2, name: 'document-3', mediaType: 'text/plain', text: 'Gamma' },
    ]);
    expect(taken.request).toEqual(
      request(
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: [say('What is in a?'), image], name: 'ann' },
        { role: 'assistant', content: 'Alpha.' },
        { role: 'user', content: [say('And in these?')] },
      ),
    );
    expect(taken.question).toBe('And in these?');
  });

  test('a message that had only files names them, and the question is the last one asked', () => {
    const taken = takeDocuments(
      request(
        { role: 'user', content: 'Summarise what I send next.' },
        { role: 'user', content: [file('a.txt', 'A'), file('"b\n".txt', 'B')] },
      ),
    );
    expect(taken.request.messages[1]).toEqual({
      role: 'user',
      content: [say('Attached: "a.txt", "b .txt"')],
    });
    expect(taken.question).toBe('Summarise what I send next.');
  });

  test('a question of any length stays small: its beginning and its end', () => {
    const { question } = takeDocuments(
      request({ role: 'user', content: `Begin ${'x '.repeat(1_000_000)} end?` }),
    );
    expect(question).toMatch(/^Begin .* end\?$/s);
    expect(question.length).toBeLessThan(4_100);
  });

  test('more files than a request may have are refused', () => {
    const file = { type: 'file' as const, file: { filename: 'a.txt', file_data: 'eA==' } };
    const content = Array.from({ length: 257 }, () => file);
    const ask = () => takeDocuments({ model: 'm', messages: [{ role: 'user', content }] });
    expect(ask).toThrow(expect.objectContaining({ code: 'invalid_value', param: 'messages' }));
  });

  test('an error names the exact part', () => {
    const bad = {
      type: 'file',
      file: { filename: 'a.bin', file_data: Buffer.from('a\0b').toString('base64') },
    };
    const withBad = request(
      { role: 'user', content: 'Hi' },
      { role: 'user', content: [say('Read'), file('a.txt', 'A'), bad] },
    );
    expect(() => takeDocuments(withBad)).toThrow(
      expect.objectContaining({
        code: 'unsupported_document',
        param: 'messages[1].content[2].file.file_data',
      }),
    );
  });
});
