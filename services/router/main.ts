import { runService } from '../../shared/platform/lifecycle/run-service.ts';
import { buildRouter } from './app.ts';

await runService('router', buildRouter);
