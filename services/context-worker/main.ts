import { runService } from '../../shared/platform/lifecycle/run-service.ts';
import { buildContextWorker } from './app.ts';

await runService('context-worker', buildContextWorker);
