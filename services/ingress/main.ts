import { runService } from '../../shared/platform/lifecycle/run-service.ts';
import { buildIngress } from './app.ts';

await runService('ingress', buildIngress);
