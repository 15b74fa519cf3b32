import { type Backend } from '../../../shared/contracts/decision.ts';

/** The backend and the model that a call goes to. */
export interface CallTarget {
  backend: Backend;
  model: string;
}

interface TargetRules {
  backend: Backend;
  model: string;
  /** Models to fall back to, in order. */
  fallbacks: readonly string[];
  /** Whether the legacy backend answers when LiteLLM fails. */
  legacyFallback: boolean;
}

/**
 * The targets of a job's calls, in the order in which they are tried. The same model on the legacy backend comes before another model,
 * because a failure on LiteLLM is rarely the model's fault. Jobs on the legacy backend never fall back to LiteLLM.
 */
export function callTargets({ backend, model, fallbacks, legacyFallback }: TargetRules): CallTarget[] {
  const others = fallbacks.map((fallback) => ({ backend, model: fallback }));
  const isSaved = backend === 'litellm' && legacyFallback;
  return [{ backend, model }, ...(isSaved ? [{ backend: 'legacy' as const, model }] : []), ...others];
}
