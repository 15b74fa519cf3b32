import closeWithGrace from 'close-with-grace';
import { ConfigError, loadConfig } from '../config/load.ts';
import { type Config } from '../config/schema.ts';
import { createLogger, type Logger } from '../log/logger.ts';
import { watchEventLoop } from '../telemetry/event-loop.ts';

/** What a service's `app.ts` builds. `close` stops the intake, drains what is in flight, then disconnects. */
export interface Service {
  start(): Promise<{ url: string }>;
  close(): Promise<void>;
}

export interface ServiceDeps {
  config: Config;
  log: Logger;
}

/** sysexits.h: the configuration is wrong; a supervisor must not simply try again. */
const EX_CONFIG = 78;

/**
 * One process, one service: starting -> ready -> draining -> closed.
 *
 * SIGTERM and SIGINT drain within `SHUTDOWN_TIMEOUT_MS`; a second signal, or the time running out, ends the process at
 * once. An uncaught error drains as well and exits with 1.
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
    // One that was told to stop meanwhile is not.
    if (!stopping.signal.aborted) log.info({ url }, 'Service ready');
  } catch (error) {
    log.fatal({ err: error }, 'Service could not start');
    await service
      .close()
      .catch((closing: unknown) => log.error({ err: closing }, 'Clean-up after a failed start failed'));
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
