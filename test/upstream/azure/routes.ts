import { BadKeyError } from '../http/failures.ts';
import { ApiError, parseJson, readBody, type Exchange, type Route } from '../http/router.ts';
import { deliverChat } from '../openai/routes.ts';
import { parseChat } from '../openai/schema.ts';
import type { Additions } from '../openai/wire.ts';
import type { Simulator } from '../simulator.ts';
import { azureErrors } from './errors.ts';

/** Azure OpenAI: OpenAI's chat completions at a deployment's URL, with content filter results. */
const FILTERS = ['hate', 'self_harm', 'sexual', 'violence'] as const;
const FOUND = Object.fromEntries(FILTERS.map((name) => [name, { filtered: false, severity: 'safe' }]));
const PROMPT = {
  prompt_filter_results: [
    {
      prompt_index: 0,
      content_filter_results: { ...FOUND, jailbreak: { filtered: false, detected: false } },
    },
  ],
};
const ADDITIONS: Additions = {
  firstChunk: { choices: [], created: 0, id: '', model: '', object: '', ...PROMPT },
  body: PROMPT,
  choice: { content_filter_results: FOUND },
};

function checkKey({ request: { headers } }: Exchange): void {
  if (!headers['api-key'] && !headers.authorization?.startsWith('Bearer '))
    throw new BadKeyError({ missing: true });
}

const readJson = async (simulator: Simulator, { request }: Exchange): Promise<unknown> =>
  parseJson(await readBody(request, simulator.maxBodyBytes));

/** The path names the deployment; the model in the body is ignored. */
async function deployed(simulator: Simulator, exchange: Exchange): Promise<void> {
  checkKey(exchange);
  const { params, query } = exchange;
  if (!query.has('api-version')) throw new ApiError(404, 'the api-version is missing');
  const body = await readJson(simulator, exchange);
  const model = decodeURIComponent(params['deployment'] ?? '');
  const parsed = parseChat(typeof body === 'object' && body !== null ? { ...body, model } : body);
  deliverChat(simulator, exchange, parsed, ADDITIONS);
}

/** The unversioned URL, where the body names the model. */
async function unversioned(simulator: Simulator, exchange: Exchange): Promise<void> {
  checkKey(exchange);
  deliverChat(simulator, exchange, parseChat(await readJson(simulator, exchange)), ADDITIONS);
}

export function azureRoutes(simulator: Simulator): Route[] {
  const route = { method: 'POST', provider: true, errors: azureErrors };
  return [
    {
      ...route,
      path: /^\/openai\/deployments\/(?<deployment>[^/]+)\/chat\/completions$/,
      handle: (exchange) => deployed(simulator, exchange),
    },
    {
      ...route,
      path: /^\/openai\/v1\/chat\/completions$/,
      handle: (exchange) => unversioned(simulator, exchange),
    },
  ];
}
