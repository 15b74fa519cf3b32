import { answerChat } from '../chat.ts';
import { deliverJson, deliverStream } from '../http/delivery.ts';
import { BadKeyError } from '../http/failures.ts';
import { ApiError, parseJson, readBody, type Exchange, type Route } from '../http/router.ts';
import type { Simulator } from '../simulator.ts';
import { geminiErrors } from './errors.ts';
import { parseGenerate } from './schema.ts';
import { jsonScript, streamScript } from './wire.ts';

function checkKey({ request: { headers }, query }: Exchange): void {
  if (!headers['x-goog-api-key'] && !query.get('key')) throw new BadKeyError({ missing: true });
}

async function generate(simulator: Simulator, exchange: Exchange, stream: boolean): Promise<void> {
  checkKey(exchange);
  if (stream && exchange.query.get('alt') !== 'sse') throw new ApiError(400, 'only alt=sse is simulated');
  const model = decodeURIComponent(exchange.params['model'] ?? '');
  const body = parseJson(await readBody(exchange.request, simulator.maxBodyBytes));
  const parsed = parseGenerate(body, model, stream);
  answerChat(simulator, exchange, parsed, (delivery, reply) => {
    const options = { id: delivery.call.id, model, includeThoughts: parsed.includeThoughts };
    if (stream) deliverStream(delivery, streamScript(reply, options));
    else deliverJson(delivery, jsonScript(reply, options));
  });
}

export function geminiRoutes(simulator: Simulator): Route[] {
  const route = { method: 'POST', provider: true, errors: geminiErrors };
  return [
    {
      ...route,
      path: /^\/v1(?:alpha|beta)?\/models\/(?<model>[^/:]+):generateContent$/,
      handle: (exchange) => generate(simulator, exchange, false),
    },
    {
      ...route,
      path: /^\/v1(?:alpha|beta)?\/models\/(?<model>[^/:]+):streamGenerateContent$/,
      handle: (exchange) => generate(simulator, exchange, true),
    },
  ];
}
