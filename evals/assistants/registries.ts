import { type Assistant } from '../../shared/content/assistants/assistant-file.ts';
import type { Clinc, Query } from './clinc.ts';

export interface RegistryShape {
  assistants: number;
  /** Examples per assistant. */
  examples: number;
}

/** Builds a registry with one assistant per intent. An assistant is described only by its examples, which are training requests. */
export function toRegistry(
  { train }: Clinc,
  { assistants, examples }: RegistryShape,
  random: () => number,
): Assistant[] {
  const byIntent = Map.groupBy(train, ([, intent]) => intent);
  return shuffled([...byIntent], random)
    .slice(0, assistants)
    .map(([name, requests]) => ({
      name,
      version: '',
      description: '',
      instructions: '',
      default: false,
      sources: [],
      file_types: [],
      patterns: [],
      examples: shuffled(requests, random)
        .slice(0, examples)
        .map(([text]) => text),
    }));
}

export interface Trial {
  assistants: readonly Assistant[];
  /** Requests whose intent has an assistant. */
  inScope: readonly Query[];
  /** Requests for none of the assistants: `outside` is out of scope of the whole data set, `near` has other intents of the data set. */
  outside: readonly Query[];
  near: readonly Query[];
}

export function toTrial(
  assistants: readonly Assistant[],
  asked: readonly Query[],
  outside: readonly Query[],
): Trial {
  const names = new Set(assistants.map(({ name }) => name));
  const { inScope = [], near = [] } = Object.groupBy(asked, ([, intent]) =>
    names.has(intent) ? 'inScope' : 'near',
  );
  return { assistants, inScope, near, outside };
}

/** Fisher-Yates shuffle. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const rest = [...items];
  return Array.from(items, () => rest.splice(Math.floor(random() * rest.length), 1)).flat();
}
