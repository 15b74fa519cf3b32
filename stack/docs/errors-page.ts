import { catalogue } from '../../shared/platform/errors/catalogue.ts';
import { escaped, GENERATED, table } from './markdown.ts';

/** Every error code with its HTTP status, type and message, as Markdown. */
export function errorsPage(): string {
  const rows = Object.entries(catalogue).map(([code, { status, type, retryable, message }]) => [
    `\`${code}\``,
    String(status),
    `\`${type}\``,
    retryable ? 'yes' : 'no',
    escaped(message),
  ]);
  return [
    '# Errors',
    '',
    GENERATED,
    '',
    'The API answers errors as OpenAI does: `{"error": {"message", "type", "param", "code"}}`. The official SDKs turn the HTTP status into',
    'their exception classes. Decide by `code`, never by the text of `message`: a message may say more than the one below. "Retryable" means',
    'that the same request may succeed later; where the answer has a `Retry-After` header, wait for that many seconds.',
    '',
    ...table(['Code', 'HTTP status', 'Type', 'Retryable', 'Message'], rows),
    '',
  ].join('\n');
}
