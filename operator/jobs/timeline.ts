import { isVisible, type JobEvent, type UsageEvent } from '../../shared/contracts/job-event.ts';

/** An event of a job as text, without anything from the prompt or the answer. */
export interface Happening {
  /** ISO 8601, if the event has a time. */
  at: string | undefined;
  what: string;
}

/** The events of a job log in order. The model's output is only counted, not shown. */
export function timeline(events: readonly JobEvent[]): Happening[] {
  const happened: Happening[] = [];
  for (let first = 0; first < events.length;) {
    const next = events.findIndex((event, at) => at >= first && !isVisible(event));
    const end = next === -1 ? events.length : next;
    if (end > first) happened.push(shown(events.slice(first, end)));
    const event = events[end];
    if (event) happened.push({ at: timeOf(event), what: inWords(event) });
    first = end + 1;
  }
  return happened;
}

function shown(events: readonly JobEvent[]): Happening {
  const characters = (type: 'text' | 'reasoning') =>
    events.reduce((sum, event) => sum + (event.type === type ? event.delta.length : 0), 0);
  const tools = events.filter((event) => event.type === 'tool_call' && event.id !== undefined).length;
  const citations = events.filter((event) => event.type === 'citation').length;
  const ends = events.flatMap((event) => (event.type === 'choice_end' ? [`ended (${event.reason})`] : []));
  const parts = [
    ...(characters('reasoning') > 0 ? [`${characters('reasoning')} characters of reasoning`] : []),
    ...(characters('text') > 0 ? [`${characters('text')} characters of text`] : []),
    ...(citations > 0 ? [`${citations} citations`] : []),
    ...(tools > 0 ? [`${tools} tool calls`] : []),
    ...ends,
  ];
  const [first] = events;
  return { at: first && timeOf(first), what: `answer: ${parts.join(', ')}` };
}

function timeOf(event: JobEvent): string | undefined {
  return 'at' in event && event.at !== undefined ? new Date(event.at).toISOString() : undefined;
}

function inWords(event: JobEvent): string {
  switch (event.type) {
    case 'accepted':
      return `accepted for ${event.model}`;
    case 'routed':
      return `routed: ${event.path} (${event.reason}, epoch ${event.epoch})${event.cache ? `, cache ${event.cache}` : ''}`;
    case 'cached':
      return `answered from the cache (entry of ${new Date(event.keptAt).toISOString()}); saved ${event.saved.total_tokens} tokens`;
    case 'context':
      return `context ${event.source}: ${event.passages} passages, ${event.leftOut} left out, ${event.ms} ms`;
    case 'assistant':
      return `assistant ${event.name} ${event.version} (${[event.reason, ...event.scores.map(scoreInWords)].join(', ')}), model ${event.model}`;
    case 'degraded':
      return `context ${event.source} skipped: ${event.code} after ${event.ms} ms`;
    case 'attempt':
      return `attempt ${event.attempt} started by a worker`;
    case 'retry':
      return `attempt ${event.attempt}, call ${event.call} of ${event.model} (${event.plan}) after ${event.after}`;
    case 'released':
      return `attempt ${event.attempt} returned to the queue: its worker was stopped`;
    case 'usage':
      return usageInWords(event);
    case 'failed':
      return `failed: ${event.error.code}`;
    case 'cancelled':
      return `cancelled by ${event.by}`;
    case 'later':
      return `event of a newer version: ${String(event.written['type'])}`;
    case 'completed':
    case 'reasoning':
    case 'text':
    case 'refusal':
    case 'tool_call':
    case 'citation':
    case 'choice_end':
      return event.type;
  }
}

function scoreInWords({ name, score }: { name: string; score: number }): string {
  return `${name} ${score.toFixed(3)}`;
}

function usageInWords({ attempt, call, source, usage, cost }: UsageEvent): string {
  const price = cost === undefined ? '' : `, $${Number(cost.toPrecision(6))}`;
  return `usage of attempt ${attempt}, call ${call}: ${usage.prompt_tokens} + ${usage.completion_tokens} tokens, ${source}${price}`;
}
