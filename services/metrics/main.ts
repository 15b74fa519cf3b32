import { runService } from '../../shared/platform/lifecycle/run-service.ts';
import { buildMetrics } from './app.ts';

await runService('metrics', buildMetrics);
