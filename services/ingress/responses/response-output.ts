import { type VisibleEvent } from '../../../shared/contracts/job-event.ts';
import {
  callItem,
  type Closing,
  type Draft,
  type GrowingItem,
  messageItem,
  type OutputItem,
  reasoningItem,
} from './output-items.ts';

/** The output items of a response, in order. At most one of them is open. */
export interface ResponseOutput {
  take(event: VisibleEvent): Draft[];
  close(as: Closing): Draft[];
  render(): OutputItem[];
}

const KIND = {
  reasoning: 'reasoning',
  text: 'message',
  refusal: 'message',
  citation: 'message',
  tool_call: 'call',
} as const;
const CUT_SHORT: ReadonlySet<string> = new Set(['length', 'content_filter']);

/** `digits`: the hex digits of the response id, used for the ids of its items. */
export function createResponseOutput(digits: string): ResponseOutput {
  const items: GrowingItem[] = [];
  /** Function calls by the provider's index. */
  const calls = new Map<number, GrowingItem>();
  let open: { kind: string; item: GrowingItem } | undefined;

  function close(as: Closing): Draft[] {
    const drafts = open?.item.close(as) ?? [];
    open = undefined;
    return drafts;
  }

  function itemFor(event: Exclude<VisibleEvent, { type: 'choice_end' }>): GrowingItem {
    const kind = KIND[event.type];
    if (event.type === 'tool_call') return calls.get(event.index) ?? add(kind, event.index);
    return open?.kind === kind ? open.item : add(kind);
  }

  function add(kind: (typeof KIND)[keyof typeof KIND], callIndex = 0): GrowingItem {
    const item = MAKE[kind]({ digits, index: items.length });
    items.push(item);
    if (kind === 'call') calls.set(callIndex, item);
    return item;
  }

  return {
    close,
    render: () => items.map((item) => item.render()),
    take: (event) => {
      if (event.type === 'choice_end') return close(CUT_SHORT.has(event.reason) ? 'incomplete' : 'completed');
      const item = itemFor(event);
      const before = open && open.item !== item ? close('completed') : [];
      open = { kind: KIND[event.type], item };
      return [...before, ...item.grow(event)];
    },
  };
}

const MAKE = { reasoning: reasoningItem, message: messageItem, call: callItem } as const;
