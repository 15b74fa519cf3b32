import { runService } from '../../shared/platform/lifecycle/run-service.ts';
import { buildLlmWorker } from './app.ts';

await runService('llm-worker', buildLlmWorker);
