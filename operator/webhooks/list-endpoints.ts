import { type Delivery } from '../../shared/jobs/webhooks/delivery-log.ts';
import { type Endpoint } from '../../shared/jobs/webhooks/endpoint-store.ts';
import { type OperatorContext } from '../context.ts';
import { inColumns, toJsonLine } from '../output.ts';
import { oneLine } from '../terminal-safe.ts';
import { noSuchEndpoint, withWebhooks } from './with-webhooks.ts';

const ENDPOINT_HEADINGS = ['ID', 'STATE', 'CREATED', 'EVENTS', 'URL', 'NAME'];
const DELIVERY_HEADINGS = ['EVENT', 'TYPE', 'STATE', 'TRIES', 'STATUS', 'ERROR', 'LAST TRY', 'NEXT TRY'];

export async function listEndpoints(
  { settings, print, complain }: OperatorContext,
  { user, json }: { user: string; json?: true },
): Promise<void> {
  const all = await withWebhooks(settings(), ({ endpoints }) => endpoints.list(user));
  if (json) for (const endpoint of all) print(toJsonLine(shown(endpoint)));
  else if (all.length > 0) print(inColumns([ENDPOINT_HEADINGS, ...all.map(endpointRow)]).join('\n'));
  if (all.length === 0) (json ? complain : print)('This user has no webhook endpoints.');
}

export async function listDeliveries(
  { settings, print, complain }: OperatorContext,
  id: string,
  { user, limit, json }: { user: string; limit: number; json?: true },
): Promise<void> {
  const page = await withWebhooks(settings(), async ({ endpoints, deliveries }) => {
    if (!(await endpoints.find(user, id))) throw noSuchEndpoint(id);
    return deliveries.list(user, id, { limit });
  });
  const { deliveries = [], hasMore = false } = page ?? {};
  if (json) for (const delivery of deliveries) print(toJsonLine(delivery));
  else if (deliveries.length > 0)
    print(inColumns([DELIVERY_HEADINGS, ...deliveries.map(deliveryRow)]).join('\n'));
  if (deliveries.length === 0) (json ? complain : print)('There are no deliveries to this endpoint yet.');
  else if (hasMore) complain('There are more deliveries. Use --limit to see them.');
}

/** Lists the fields by name, so that a field that is added later is not shown by accident. */
function shown({ id, name, url, eventTypes, createdAt, updatedAt, disabled, hint }: Endpoint): object {
  return { id, name, url, eventTypes, createdAt, updatedAt, disabled: disabled ?? null, hint };
}

function endpointRow({ id, disabled, createdAt, eventTypes, url, name }: Endpoint): string[] {
  const state = disabled === undefined ? 'enabled' : `disabled (${disabled})`;
  const events = eventTypes.map((type) => type.slice('response.'.length)).join(',');
  return [id, state, iso(createdAt), events, oneLine(url), oneLine(name)];
}

function deliveryRow(delivery: Delivery): string[] {
  const { eventId, eventType, state, tries, status, error, lastTryAt, nextTryAt } = delivery;
  const outcome = [state, String(tries), String(status ?? '-'), error ?? '-'];
  return [eventId, eventType, ...outcome, iso(lastTryAt), iso(nextTryAt)];
}

function iso(at: number | undefined): string {
  return at === undefined ? '-' : new Date(at).toISOString();
}
