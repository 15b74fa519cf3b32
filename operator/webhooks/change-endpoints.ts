import { type EventType } from '../../shared/jobs/webhooks/event.ts';
import { type WithSecret } from '../../shared/jobs/webhooks/registry.ts';
import { type OperatorContext } from '../context.ts';
import { toJsonLine } from '../output.ts';
import { noSuchEndpoint, withRegistry, withWebhooks } from './with-webhooks.ts';

interface Whose {
  user: string;
  json?: true;
}

export async function addEndpoint(
  context: OperatorContext,
  {
    user,
    url,
    name,
    events: eventTypes,
    ...options
  }: Whose & { url: string; name: string; events: EventType[] },
): Promise<void> {
  const made = await withRegistry(context.settings(), (registry) =>
    registry.register(user, { url, name, eventTypes }),
  );
  printSecret(context, made, options);
}

export async function rotateSecret(
  context: OperatorContext,
  id: string,
  { user, keepOld = false, ...options }: Whose & { keepOld?: boolean },
): Promise<void> {
  const made = await withRegistry(context.settings(), (registry) => registry.rotate(user, id, { keepOld }));
  if (!made) throw noSuchEndpoint(id);
  printSecret(context, made, options);
}

export async function removeEndpoint(
  { settings, print }: OperatorContext,
  id: string,
  { user }: Whose,
): Promise<void> {
  const removed = await withWebhooks(settings(), ({ endpoints }) => endpoints.remove(user, id));
  if (!removed) throw noSuchEndpoint(id);
  print(`${id}  removed`);
}

function printSecret(
  { print }: OperatorContext,
  { endpoint: { id, url }, secret }: WithSecret,
  { json }: { json?: true },
): void {
  print(json ? toJsonLine({ id, url, signing_secret: secret }) : `${id}\n${secret}`);
}
