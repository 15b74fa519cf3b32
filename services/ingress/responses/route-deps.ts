import { type FastifyRequest } from 'fastify';
import { type EndingDeps } from '../../../shared/jobs/joblog/ending.ts';
import { type LiveLog } from '../answers/live-log.ts';
import { type AdmissionService } from '../admission/admission-service.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { type ReadSelection } from '../models/read-selection.ts';
import { type StoredJobs } from '../answers/stored-jobs.ts';
import { type ResolveConversation } from './conversation.ts';
import { type FindResponse } from './stored-responses.ts';

export interface ResponseRouteDeps {
  admissionService: AdmissionService;
  live: LiveLog;
  find: FindResponse;
  resolve: ResolveConversation;
  remove: StoredJobs['remove'];
  readSelection: ReadSelection;
  defaultDeadlineMs: number;
  /** The clock that deadlines are measured by; milliseconds since the epoch. */
  now: () => number;
  /** The maximum size of a request body. */
  maxBodyBytes: number;
  caller: (request: FastifyRequest) => Principal;
  /** Fires when this process stops waiting for answers. Its reason is the error that clients receive. */
  cut: AbortSignal;
  ending: EndingDeps;
}
