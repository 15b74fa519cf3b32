import { runService } from '../../shared/platform/lifecycle/run-service.ts';
import { build } from './app.ts';

await runService('cache', build);
