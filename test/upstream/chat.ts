import { planReply, type ChatRequest, type Reply } from './core/reply.ts';
import type { Delivery } from './http/delivery.ts';
import { ApiError, sendError, type Exchange } from './http/router.ts';
import { jobOf, knobsOf, openCall, type Simulator } from './simulator.ts';

/** A chat request, independent of the wire format it arrived in. */
export interface AskedChat {
  request: ChatRequest;
  stream: boolean;
  /** The text of the knob directives in the messages, in order. */
  directives: readonly string[];
}

/** Handles a chat call of any wire format: knobs, reply, ledger and faults. `deliver` then writes the reply in the wire format. */
export function answerChat(
  simulator: Simulator,
  exchange: Exchange,
  asked: AskedChat,
  deliver: (delivery: Delivery, reply: Reply) => void,
): void {
  const { request, directives } = asked;
  const knobs = knobsOf(simulator, exchange, request.model, directives);
  const reply = planReply(request, knobs);
  const delivery = openCall(simulator, exchange, chatCall(exchange, asked, reply), knobs, reply.seed);
  if (delivery === null) return;
  if (reply.continuation !== 'none' && knobs.continue === 'refuse') sendError(exchange, refusePartial());
  else deliver(delivery, reply);
}

function chatCall(exchange: Exchange, { request, stream }: AskedChat, reply: Reply) {
  return {
    job: jobOf(exchange),
    kind: 'chat' as const,
    model: request.model,
    stream,
    continuation: reply.continuation,
    promptTokens: reply.promptTokens,
    startedAt: exchange.receivedAt,
    conversation: String(reply.seed),
  };
}

const refusePartial = (): ApiError =>
  new ApiError(
    400,
    'This model does not support assistant message prefill. The conversation must end with a user message.',
    { param: 'messages' },
  );
