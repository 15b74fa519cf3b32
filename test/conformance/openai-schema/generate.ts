import { createGenerator } from 'ts-json-schema-generator';
import { fileURLToPath } from 'node:url';
import { type Definitions } from './json-schema.ts';

/** The SDK's modules that declare the bodies and events which this server answers with. */
const MODULES = [
  'resources/responses/responses',
  'resources/chat/completions/completions',
  'resources/files',
  'resources/models',
  'resources/shared',
];

/** A type and all that it is made of. */
export type DefinitionsOf = (type: string) => Definitions;

/**
 * JSON Schemas of the official SDK's own types, made from its declarations: some seconds to read them, and some tenths for
 * each type. A property that a type does not have is refused.
 */
export function openaiSchemas(): DefinitionsOf {
  const folder = fileURLToPath(new URL('.', import.meta.resolve('openai')));
  const generator = createGenerator({
    path: `${folder}{${MODULES.join(',')}}.d.ts`,
    tsconfig: fileURLToPath(new URL('../../../tsconfig.json', import.meta.url)),
    skipTypeCheck: true,
    expose: 'export',
    jsDoc: 'none',
  });
  return (type) => generator.createSchema(type).definitions as Definitions;
}
