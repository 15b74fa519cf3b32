import { runService } from '../../shared/platform/lifecycle/run-service.ts';
import { buildCache } from './app.ts';

await runService('cache', buildCache);
