import { testEnv } from '../../test/harness/env.ts';

/** Milliseconds. */
export interface LoopDelay {
  p999Ms: number;
  maxMs: number;
}

/**
 * Each service's event-loop delay since the previous call, which must be at least a minute ago. The metric covers the past minute: the
 * first request adds the latest measurements to it, and the second one reads it. Nothing else may read the metric in between.
 */
export async function loopDelaysSince(
  urls: Readonly<Record<string, string>>,
): Promise<Record<string, LoopDelay>> {
  const entries = Object.entries(urls).map(async ([service, url]) => {
    await metricsOf(url);
    return [service, delayIn(await metricsOf(url))] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function metricsOf(url: string): Promise<string> {
  const headers = { authorization: `Bearer ${testEnv().TURNOUT_ADMIN_KEY}` };
  const response = await fetch(`${url}/metrics`, { headers });
  if (!response.ok) throw new Error(`${url}/metrics responded with status ${response.status}`);
  return response.text();
}

function delayIn(metrics: string): LoopDelay {
  return { p999Ms: quantileIn(metrics, '0.999'), maxMs: quantileIn(metrics, '1') };
}

function quantileIn(metrics: string, quantile: string): number {
  const pattern = new RegExp(
    `^turnout_event_loop_delay_seconds\\{quantile="${quantile}"[^}]*\\} (\\S+)$`,
    'm',
  );
  const seconds = pattern.exec(metrics)?.[1];
  if (seconds === undefined) throw new Error('The metrics of a service have no event-loop delay');
  return Math.round(Number(seconds) * 1_000);
}
