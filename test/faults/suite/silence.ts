import { type Testimony } from './client.ts';

/**
 * The longest time that a client of a stream waited for the next piece, counting from `since` (ms since the epoch), or from
 * its question where that came later. Undefined when no client was waiting. Those who hung up do not count.
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
