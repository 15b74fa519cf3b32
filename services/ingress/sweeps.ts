import { type Config } from '../../shared/config/schema.ts';
import { type Releasers } from '../../shared/lifecycle/releasers.ts';
import { type Logger } from '../../shared/log/logger.ts';
import { createBlobSweep } from './blob-sweep.ts';
import { createFileSweep } from './files/file-sweep.ts';
import { type Parts } from './parts.ts';

interface SweepsOptions {
  config: Pick<Config, 'RESPONSE_RETENTION_MS'>;
  parts: Pick<Parts, 'blobs' | 'files' | 'jobLog'>;
  releasers: Releasers;
  log: Logger;
}

/** Removes what nobody knows any more, until the process closes. */
export function startSweeps({ config, parts, releasers, log }: SweepsOptions): void {
  const { blobs, files, jobLog } = parts;
  const ofBodies = createBlobSweep({ blobs, jobLog, log, keptMs: config.RESPONSE_RETENTION_MS });
  const ofFiles = createFileSweep({ blobs, files, log });
  releasers.defer('blob sweep', () => ofBodies.close());
  releasers.defer('file sweep', () => ofFiles.close());
  ofBodies.start();
  ofFiles.start();
}
