import { type Backend } from '../../../shared/contracts/decision.ts';

/** Where a call of the model goes. */
export interface CallTarget {
  backend: Backend;
  model: string;
}

interface TargetRules {
  backend: Backend;
  model: string;
  /** Models to fall back to, in order. */
  fallbacks: readonly string[];
  /** Whether the legacy path answers what LiteLLM fails to. */
  legacyFallback: boolean;
}

/**
 * The targets of a job's calls, in the order in which they are tried. The same model on the legacy path comes before another model: what
 * fails LiteLLM is as a rule not the model. Nobody falls back to LiteLLM.
 */
export function callTargets({ backend, model, fallbacks, legacyFallback }: TargetRules): CallTarget[] {
  const others = fallbacks.map((fallback) => ({ backend, model: fallback }));
  const isSaved = backend === 'litellm' && legacyFallback;
  return [{ backend, model }, ...(isSaved ? [{ backend: 'legacy' as const, model }] : []), ...others];
}
