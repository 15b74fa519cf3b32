import { runService } from '../../shared/lifecycle/run-service.ts';
import { build } from './app.ts';

await runService('metrics', build);
