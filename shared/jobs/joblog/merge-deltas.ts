import { type JobEvent } from '../../contracts/job-event.ts';

/**
 * Merges two neighbouring deltas, if that changes nothing but the number of chunks; otherwise undefined. Text with log probabilities is
 * never merged, since they belong to its tokens.
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
