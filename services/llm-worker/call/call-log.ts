import { type Logger } from '../../../shared/platform/log/logger.ts';
import { type CallTarget } from './call-targets.ts';
import { type CallReport } from './model-call.ts';
import { logNoKey, type ModelProviders } from './model-providers.ts';

/** Logs the result of each model call, in the phrases of the rollout guide. */
export interface CallLog {
  ended(jobId: string, target: CallTarget, report: CallReport): void;
}

/** `legacy`: the name of the legacy provider. */
export function createCallLog(
  log: Logger,
  { litellm, legacy }: { litellm: Pick<ModelProviders, 'of'>; legacy: string | undefined },
): CallLog {
  return {
    ended: (jobId, { backend: path, model }, report) => {
      const { ms, firstTokenMs: ttft, callId } = report;
      const provider = path === 'litellm' ? litellm.of(model) : legacy;
      const call = { jobId, model, provider, path, ms, ttft, callId };
      if (report.failure) logFailure(log, call, report.failure, report.usage?.source);
      else logSuccess(log, call, report.usage);
    },
  };
}

interface Call {
  jobId: string;
  model: string;
  provider: string | undefined;
  path: string;
}

function logFailure(
  log: Logger,
  call: Call,
  { code, retryable }: NonNullable<CallReport['failure']>,
  source: string | undefined,
): void {
  if (code === 'cancelled') {
    log.info({ ...call, source }, 'Model call aborted');
    return;
  }
  const phrase = call.path === 'litellm' ? 'LiteLLM Error' : 'Legacy Error';
  log.warn({ ...call, code, retryable, source }, phrase);
  const { jobId, model, provider } = call;
  if (code === 'upstream_auth') logNoKey(log, provider, { jobId, model, code });
}

function logSuccess(log: Logger, call: Call, usage: CallReport['usage']): void {
  const tokens = {
    promptTokens: usage?.usage.prompt_tokens,
    completionTokens: usage?.usage.completion_tokens,
  };
  const phrase = call.path === 'litellm' ? 'LITELLM REQUEST COMPLETED' : 'Legacy request completed';
  log.info({ ...call, ...tokens, cost: usage?.cost }, phrase);
}
