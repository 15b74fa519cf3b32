import { TurnoutError } from '../../../shared/errors/turnout-error.ts';
import { responseStatus } from '../../../shared/responses/response-status.ts';
import { type InputItem, type ResolvedItem, type StoredItem, toItems } from './input-items.ts';
import { type ResponseRequest } from './request.ts';
import { type FindResponse, outputItems, type StoredResponse } from './stored-responses.ts';

/** All that the model is to read, except the instructions. */
export interface ResolvedConversation {
  /** Items of the earlier responses that this one goes on from, oldest first. */
  context: StoredItem[];
  input: ResolvedItem[];
}

/**
 * Puts together what a request names instead of sending it: the conversation behind `previous_response_id`, and the items that
 * references stand for. Throws `previous_response_not_found`, and `invalid_value` with the parameter's path.
 */
export async function resolveConversation(
  find: FindResponse,
  user: string,
  { previous_response_id: previous, input }: Pick<ResponseRequest, 'previous_response_id' | 'input'>,
): Promise<ResolvedConversation> {
  const context = previous ? await contextOf(find, user, previous) : [];
  const resolve = referenceResolver(find, user);
  const items = await Promise.all(
    toItems(input).map(async (item, at) =>
      item.type === 'item_reference' ? resolve(item, `input[${at}].id`) : item,
    ),
  );
  return { context, input: items };
}

async function contextOf(find: FindResponse, user: string, previous: string): Promise<StoredItem[]> {
  const param = 'previous_response_id';
  const found = await unlessNotFound(find(previous, user));
  // One that was not to be stored may still be there for those who read its stream.
  if (!found || found.head.request.store === false)
    throw new TurnoutError('previous_response_not_found', {
      message: `Previous response with id '${previous}' not found.`,
      param,
    });
  const status = responseStatus(found.events);
  if (status !== 'completed' && status !== 'incomplete')
    throw new TurnoutError('invalid_value', {
      message: `The previous response is ${status}: only a finished one can be gone on from.`,
      param,
    });
  return [...found.context, ...found.input, ...outputItems(found)];
}

type Reference = Extract<InputItem, { type: 'item_reference' }>;

/** Our items' ids name the response that they belong to. */
const ITEM_ID = /^(?:msg|rs|fc|fco)_([0-9a-f]{32})_i?\d+$/;

function referenceResolver(find: FindResponse, user: string) {
  const responses = new Map<string, Promise<StoredResponse | undefined>>();
  const responseOf = (id: string) => {
    const found = responses.get(id) ?? unlessNotFound(find(id, user));
    responses.set(id, found);
    return found;
  };

  return async ({ id }: Reference, param: string): Promise<ResolvedItem> => {
    const [, digits] = ITEM_ID.exec(id) ?? [];
    const response = digits === undefined ? undefined : await responseOf(`resp_${digits}`);
    const item = response && itemsOf(response).find((candidate) => candidate.id === id);
    if (item) return item;
    throw new TurnoutError('invalid_value', { message: `Item with id '${id}' not found.`, param });
  };
}

function itemsOf(response: StoredResponse): StoredItem[] {
  return [...response.input, ...outputItems(response)];
}

async function unlessNotFound<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof TurnoutError && error.code === 'not_found') return undefined;
    throw error;
  }
}
