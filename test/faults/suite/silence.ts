import { type Testimony } from './client.ts';

/**
 * The longest time that a client waited for the next piece of a stream, counted from `since` (ms since the epoch), or from its request if
 * that came later. Undefined if no client was waiting. Clients that hung up do not count.
 */
export function longestSilence(testimonies: readonly Testimony[], since: number): number | undefined {
  const waits = testimonies
    .filter(({ plan }) => plan.stream && (plan.manner === 'patient' || plan.manner === 'once'))
    .flatMap((testimony) => waitAfter(testimony, since) ?? []);
  return waits.length === 0 ? undefined : Math.max(...waits);
}

function waitAfter({ sights }: Testimony, since: number): number | undefined {
  const askedAt = sights[0]?.askedAt ?? Number.NaN;
  const next = sights.flatMap(({ arrivals }) => arrivals).filter((at) => at > since)[0];
  return next === undefined ? undefined : next - Math.max(since, askedAt);
}
