import { z } from 'zod';
import { KnobError, parseKnobSettings } from '../core/knobs.ts';
import { ApiError, parseJson, readBody, sendJson, type Exchange, type Route } from '../http/router.ts';
import type { Simulator } from '../simulator.ts';

/** Administration of the simulator: knobs per model, and the ledger. */
const putKnobs = z.strictObject({
  model: z.string().min(1).default('*'),
  knobs: z.record(z.string(), z.unknown()),
});

const listKnobs = ({ modelKnobs }: Simulator): object => ({ knobs: Object.fromEntries(modelKnobs) });

/** Replaces the knobs of that model. */
async function setKnobs(simulator: Simulator, { request, response }: Exchange): Promise<void> {
  const parsed = putKnobs.safeParse(parseJson(await readBody(request, simulator.maxBodyBytes)));
  if (!parsed.success)
    throw new ApiError(400, `bad knobs: ${z.prettifyError(parsed.error)}`, { code: 'bad_knobs' });
  try {
    simulator.modelKnobs.set(parsed.data.model, parseKnobSettings(parsed.data.knobs));
  } catch (error) {
    if (error instanceof KnobError)
      throw new ApiError(400, error.message, { code: 'bad_knobs', param: 'knobs' });
    throw error;
  }
  sendJson(response, 200, listKnobs(simulator));
}

function clearKnobs(simulator: Simulator, { query, response }: Exchange): void {
  const model = query.get('model');
  if (model === null) simulator.modelKnobs.clear();
  else simulator.modelKnobs.delete(model);
  sendJson(response, 200, listKnobs(simulator));
}

function showLedger({ ledger, sockets }: Simulator, { query, response }: Exchange): void {
  sendJson(response, 200, { ...ledger.view(query.get('job')), sockets: sockets.counts() });
}

function resetLedger({ ledger, sockets }: Simulator, { response }: Exchange): void {
  ledger.reset();
  sockets.reset();
  sendJson(response, 200, { ...ledger.view(null), sockets: sockets.counts() });
}

export function simRoutes(simulator: Simulator): Route[] {
  const knobs = /^\/sim\/knobs$/;
  const ledger = /^\/sim\/ledger$/;
  const live = (exchange: Exchange): void => sendJson(exchange.response, 200, { status: 'ok' });
  return [
    {
      method: 'GET',
      path: knobs,
      provider: false,
      handle: ({ response }) => sendJson(response, 200, listKnobs(simulator)),
    },
    { method: 'PUT', path: knobs, provider: false, handle: (exchange) => setKnobs(simulator, exchange) },
    { method: 'DELETE', path: knobs, provider: false, handle: (exchange) => clearKnobs(simulator, exchange) },
    { method: 'GET', path: ledger, provider: false, handle: (exchange) => showLedger(simulator, exchange) },
    {
      method: 'DELETE',
      path: ledger,
      provider: false,
      handle: (exchange) => resetLedger(simulator, exchange),
    },
    { method: 'GET', path: /^\/livez$/, provider: false, handle: live },
  ];
}
