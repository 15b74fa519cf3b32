import type { IncomingHttpHeaders } from 'node:http';
import {
  KnobError,
  parseKnobText,
  resolveKnobs,
  knobsForAttempt,
  type Knobs,
  type KnobSettings,
} from './core/knobs.ts';
import type { Ledger, NewCall } from './ledger.ts';
import { failFirst, follow, type Delivery } from './http/delivery.ts';
import { ApiError, type Exchange } from './http/router.ts';
import type { SocketBook } from './http/sockets.ts';

/** What all wire formats share: the knobs in force, the ledger, the sockets. */
export interface Simulator {
  ledger: Ledger;
  sockets: SocketBook;
  /** Knob settings by model; `*` applies to all models. */
  modelKnobs: Map<string, KnobSettings>;
  models: readonly string[];
  /** Bytes. */
  maxBodyBytes: number;
}

const headerText = (headers: IncomingHttpHeaders, name: string): string | null => {
  const value = headers[name];
  return Array.isArray(value) ? value.join(';') : (value ?? null);
};

export const jobOf = ({ request }: Exchange): string | null =>
  headerText(request.headers, 'x-turnout-job-id');

/**
 * The knobs of one request. From lowest to highest precedence: those for all models, for its model, in its messages, in its header.
 * @throws ApiError 400 naming the bad knobs
 */
export function knobsOf(
  simulator: Simulator,
  exchange: Exchange,
  model: string,
  directives: readonly string[],
): Knobs {
  const { modelKnobs } = simulator;
  try {
    return resolveKnobs(
      modelKnobs.get('*') ?? {},
      modelKnobs.get(model) ?? {},
      ...directives.map(parseKnobText),
      parseKnobText(headerText(exchange.request.headers, 'x-sim') ?? ''),
    );
  } catch (error) {
    if (error instanceof KnobError) throw new ApiError(400, error.message, { code: 'bad_knobs' });
    throw error;
  }
}

/** Opens the call in the ledger. Null if a fault has already answered the call, or will leave it unanswered. */
export function openCall(
  simulator: Simulator,
  exchange: Exchange,
  fresh: NewCall,
  knobs: Knobs,
  seed: number,
): Delivery | null {
  const { ledger, sockets } = simulator;
  const call = ledger.open(fresh);
  const inForce = knobsForAttempt(knobs, call.attempt);
  const delivery = {
    exchange,
    call,
    knobs: inForce,
    seed: (seed ^ inForce.seed) >>> 0,
    ledger,
    sockets,
    timer: undefined,
  };
  follow(delivery);
  return failFirst(delivery) ? null : delivery;
}
