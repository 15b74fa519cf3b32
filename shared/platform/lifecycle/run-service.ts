import closeWithGrace from 'close-with-grace';
import { ConfigError, loadConfig } from '../config/load.ts';
import { type Config } from '../config/schema.ts';
import { createLogger, type Logger } from '../log/logger.ts';
import { watchEventLoop } from '../telemetry/event-loop.ts';
import { VERSION } from '../version.ts';

/** A service as built by its `app.ts`. `close` stops taking work, drains the work in flight, then disconnects. */
export interface Service {
  start(): Promise<{ url: string }>;
  close(): Promise<void>;
}

export interface ServiceDeps {
  config: Config;
  log: Logger;
}

/** EX_CONFIG of sysexits.h: the configuration is invalid, so a restart by the supervisor does not help. */
const EX_CONFIG = 78;

/**
 * One process, one service: starting -> ready -> draining -> closed.
 *
 * On SIGTERM or SIGINT the service drains within `SHUTDOWN_TIMEOUT_MS`. A second signal or the timeout ends the process at once.
 * After an uncaught error the service drains as well, and the process exits with 1.
 */
export async function runService(name: string, build: (deps: ServiceDeps) => Service): Promise<void> {
  const config = configOrExit();
  const log = createLogger(name, config);
  const service = build({ config, log });
  const loop = watchEventLoop({ log });
  const stopping = new AbortController();

  closeWithGrace({ delay: config.SHUTDOWN_TIMEOUT_MS, logger: log }, async ({ err, signal }) => {
    if (err) log.fatal({ err }, 'Uncaught error');
    stopping.abort();
    log.info({ signal }, 'Service stopping');
    await service.close();
    loop.close();
    log.info('Service stopped');
    log.flush();
  });

  try {
    const { url } = await service.start();
    // Not if it was stopped during the start.
    if (!stopping.signal.aborted) log.info({ url, version: VERSION }, 'Service ready');
  } catch (error) {
    log.fatal({ err: error }, 'Service could not start');
    await service
      .close()
      .catch((closing: unknown) => log.error({ err: closing }, 'Clean-up after the failed start failed'));
    log.flush(() => process.exit(1));
  }
}

function configOrExit(): Config {
  try {
    return loadConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(EX_CONFIG);
  }
}
