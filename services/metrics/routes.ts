import { type ServerResponse } from 'node:http';
import { toEnvelope } from '../../shared/platform/errors/openai-envelope.ts';
import { TurnoutError } from '../../shared/platform/errors/turnout-error.ts';
import { type Logger } from '../../shared/platform/log/logger.ts';
import { type Probes, type Route } from '../../shared/platform/telemetry/probes.ts';
import { type Counts } from './counts/counts.ts';
import { type Ledger } from './ledger/ledger.ts';
import { renderPrometheus } from './prometheus.ts';
import { summarise } from './summary.ts';

interface FigureRoutesDeps {
  probes: Probes;
  ledger: Pick<Ledger, 'read'>;
  log: Logger;
}

interface Answer {
  contentType: string;
  body: string;
}

/** `/metrics`: the metrics of this process and of the jobs (Prometheus). `/summary`: those of the jobs as JSON. 503 without Redis. */
export function figureRoutes({ probes, ledger, log }: FigureRoutesDeps): Record<string, Route> {
  const answering =
    (render: (counts: Counts) => Answer | Promise<Answer>): Route =>
    (_request, response) => {
      ledger
        .read()
        .then(render)
        .then(
          ({ contentType, body }) => response.writeHead(200, { 'content-type': contentType }).end(body),
          (error: unknown) => {
            log.warn({ err: error }, 'Could not read the counts');
            refuse(response, error);
          },
        );
    };
  return {
    '/metrics': answering(async (counts) => ({
      contentType: probes.registry.contentType,
      body: `${await probes.registry.metrics()}${renderPrometheus(counts)}`,
    })),
    '/summary': answering((counts) => ({
      contentType: 'application/json',
      body: `${JSON.stringify(summarise(counts), null, 2)}\n`,
    })),
  };
}

function refuse(response: ServerResponse, cause: unknown): void {
  const error = new TurnoutError('store_unavailable', {
    message: 'The counts cannot be read because Redis is unavailable. Try again.',
    cause,
  });
  response.writeHead(error.status, { 'content-type': 'application/json', 'retry-after': '1' });
  response.end(JSON.stringify(toEnvelope(error)));
}
