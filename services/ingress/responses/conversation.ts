import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { responseStatus } from '../../../shared/jobs/responses/response-status.ts';
import { assistantOf } from '../answers/answered-by.ts';
import { MAX_VALUES } from '../http/json-bounds.ts';
import { sizeUpTo, valuesUpTo } from '../http/size.ts';
import {
  type InputItem,
  type ResolvedItem,
  type StoredItem,
  toItems,
} from '../response-schema/input-items.ts';
import { type ResponseRequest } from '../response-schema/request.ts';
import { type FindResponse, outputItems, type StoredResponse } from './stored-responses.ts';

/** Everything that the model reads, except the instructions. */
export interface ResolvedConversation {
  /** Items of the earlier responses that this one continues, oldest first. */
  context: StoredItem[];
  input: ResolvedItem[];
  /** The assistant that answered the response that this one continues. */
  assistant?: string | undefined;
}

export type ResolveConversation = (
  user: string,
  request: Pick<ResponseRequest, 'previous_response_id' | 'input'>,
) => Promise<ResolvedConversation>;

/**
 * Resolves what a request refers to instead of sending it: the conversation of `previous_response_id`, and the items behind
 * references. Together these may be about as large as the largest request (`maxBytes`) and have as many values. Otherwise a few
 * small requests could refer to gigabytes, or to input that takes seconds to process.
 *
 * Throws `previous_response_not_found`, `invalid_value` with the path of the parameter, and `body_too_large`.
 */
export function createConversations(find: FindResponse, maxBytes: number): ResolveConversation {
  return async (user, { previous_response_id: previous, input }) => {
    const findOwn = (responseId: string) => unlessNotFound(find(responseId, user));
    const before = previous ? await previousOf(findOwn, previous) : undefined;
    const context = before ? [...before.context, ...before.input, ...outputItems(before)] : [];
    const named = toItems(input);
    const resolve = referenceResolver(findOwn, idsNamedBy(named), maxBytes);
    const items: ResolvedItem[] = [];
    let bytes = sizeUpTo(maxBytes, context);
    for (const [at, item] of named.entries()) {
      const resolved = item.type === 'item_reference' ? await resolve(item, `input[${at}].id`) : item;
      if (resolved !== item) bytes += sizeUpTo(maxBytes, resolved);
      if (bytes > maxBytes) throw tooLarge();
      items.push(resolved);
    }
    if (valuesUpTo(MAX_VALUES, [context, items]) > MAX_VALUES) throw tooLarge();
    return { context, input: items, assistant: before && assistantOf(before.events) };
  };
}

type FindOwn = (responseId: string) => Promise<StoredResponse | undefined>;

async function previousOf(find: FindOwn, previous: string): Promise<StoredResponse> {
  const param = 'previous_response_id';
  const found = await find(previous);
  // A response with `store: false` may still exist for the readers of its stream.
  if (!found || found.head.request.store === false)
    throw new TurnoutError('previous_response_not_found', {
      message: `Previous response with id '${previous}' not found.`,
      param,
    });
  const status = responseStatus(found.events);
  if (status !== 'completed' && status !== 'incomplete')
    throw new TurnoutError('invalid_value', {
      message: `The previous response is ${status}. Only a completed or incomplete response can be continued.`,
      param,
    });
  return found;
}

type Reference = Extract<InputItem, { type: 'item_reference' }>;

/** The id of an item that Turnout created contains the id of its response. */
const ITEM_ID = /^(?:msg|rs|fc|fco)_([0-9a-f]{32})_i?\d+$/;
/** The maximum number of responses that a request may refer to. Each is read while the request is processed. */
const MAX_RESPONSES = 256;

function idsNamedBy(items: readonly InputItem[]): ReadonlySet<string> {
  return new Set(items.flatMap((item) => (item.type === 'item_reference' ? [item.id] : [])));
}

/** Keeps only the referenced items, of at most `maxBytes` in total: a response may be as large as a request, and many are read. */
function referenceResolver(find: FindOwn, named: ReadonlySet<string>, maxBytes: number) {
  const responses = new Map<string, ReadonlyMap<string, StoredItem>>();
  let held = 0;

  async function itemsOf(digits: string, param: string): Promise<ReadonlyMap<string, StoredItem>> {
    const known = responses.get(digits);
    if (known) return known;
    if (responses.size === MAX_RESPONSES)
      throw new TurnoutError('invalid_value', {
        message: `The item references may belong to at most ${MAX_RESPONSES} different responses.`,
        param,
      });
    const response = await find(`resp_${digits}`);
    const all = response ? [...response.input, ...outputItems(response)] : [];
    const items = all.filter(({ id }) => named.has(id));
    held += sizeUpTo(maxBytes, items);
    if (held > maxBytes) throw tooLarge();
    const byId = new Map(items.map((item) => [item.id, item]));
    responses.set(digits, byId);
    return byId;
  }

  return async ({ id }: Reference, param: string): Promise<ResolvedItem> => {
    const [, digits] = ITEM_ID.exec(id) ?? [];
    const item = digits === undefined ? undefined : (await itemsOf(digits, param)).get(id);
    if (item) return item;
    throw new TurnoutError('invalid_value', { message: `Item with id '${id}' not found.`, param });
  };
}

function tooLarge(): TurnoutError {
  return new TurnoutError('body_too_large', {
    message:
      'The conversation and items that the request refers to are larger than this server accepts. Start a new conversation or send less.',
  });
}

async function unlessNotFound<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof TurnoutError && error.code === 'not_found') return undefined;
    throw error;
  }
}
