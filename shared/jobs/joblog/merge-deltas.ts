import { type JobEvent } from '../../contracts/job-event.ts';

/**
 * Two neighbouring deltas as one, where that changes nothing but the number of chunks; undefined where it would.
 * Log probabilities belong to their own tokens, so a text with them stays alone.
 */
export function mergeDeltas(first: JobEvent, second: JobEvent): JobEvent | undefined {
  if (first.type === 'text' && second.type === 'text') {
    const plain = first.logprobs === undefined && second.logprobs === undefined;
    return plain && first.choice === second.choice
      ? { ...first, delta: first.delta + second.delta }
      : undefined;
  }
  if (first.type === 'reasoning' && second.type === 'reasoning') {
    return first.choice === second.choice ? { ...first, delta: first.delta + second.delta } : undefined;
  }
  if (first.type === 'tool_call' && second.type === 'tool_call') {
    const continues = second.id === undefined && second.name === undefined;
    const same = first.choice === second.choice && first.index === second.index;
    return continues && same ? { ...first, arguments: first.arguments + second.arguments } : undefined;
  }
  return undefined;
}
