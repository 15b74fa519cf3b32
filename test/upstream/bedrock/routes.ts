import { answerChat } from '../chat.ts';
import { deliverJson, deliverStream } from '../http/delivery.ts';
import { BadKeyError } from '../http/failures.ts';
import { parseJson, readBody, type Exchange, type Route } from '../http/router.ts';
import type { Simulator } from '../simulator.ts';
import { bedrockErrors } from './errors.ts';
import { parseConverse } from './schema.ts';
import { jsonScript, streamScript } from './wire.ts';

/** An AWS signature (version 4) for Bedrock that covers the required headers, or a Bedrock API key. */
const SIGNED =
  /^AWS4-HMAC-SHA256 Credential=[^/\s]+\/\d{8}\/[a-z0-9-]+\/bedrock\/aws4_request, ?SignedHeaders=(?=[^,]*\bhost\b)(?=[^,]*\bx-amz-date\b)[^,]+, ?Signature=[0-9a-f]{64}$/;
const BEARER = /^Bearer \S+$/;

function checkSignature({ request: { headers } }: Exchange): void {
  const authorization = headers.authorization ?? '';
  const signed = SIGNED.test(authorization) && headers['x-amz-date'] !== undefined;
  if (!signed && !BEARER.test(authorization)) throw new BadKeyError({ missing: authorization === '' });
}

async function converse(simulator: Simulator, exchange: Exchange, stream: boolean): Promise<void> {
  checkSignature(exchange);
  const model = decodeURIComponent(exchange.params['model'] ?? '');
  const body = parseJson(await readBody(exchange.request, simulator.maxBodyBytes));
  const parsed = parseConverse(body, model, stream);
  answerChat(simulator, exchange, parsed, (delivery, reply) => {
    if (stream) deliverStream(delivery, streamScript(reply, parsed));
    else deliverJson(delivery, jsonScript(reply, parsed));
  });
}

export function bedrockRoutes(simulator: Simulator): Route[] {
  const route = { method: 'POST', provider: true, errors: bedrockErrors };
  return [
    {
      ...route,
      path: /^\/model\/(?<model>[^/]+)\/converse$/,
      handle: (exchange) => converse(simulator, exchange, false),
    },
    {
      ...route,
      path: /^\/model\/(?<model>[^/]+)\/converse-stream$/,
      handle: (exchange) => converse(simulator, exchange, true),
    },
  ];
}
