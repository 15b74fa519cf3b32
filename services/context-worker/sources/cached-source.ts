import { jsonCodec } from '../../../shared/content/cache/codec.ts';
import { fingerprintOf } from '../../../shared/content/cache/fingerprint.ts';
import { type ChosenPassages, chosenPassages } from '../../../shared/contracts/flow.ts';
import { type PieceCache, throughCache } from '../cache/through-cache.ts';
import { type ContextSource, type PieceJob, type Request } from './context-source.ts';

const codec = jsonCodec(chosenPassages);

/** A source of passages. */
export type PassagesKind = 'document' | 'remote';

/** Everything that a piece depends on besides its user; undefined for a piece that is not worth caching. */
export type Terms<Kind extends PassagesKind> = (request: Request<Kind>, job: PieceJob) => object | undefined;

/** Wraps a source with its user's cache. Degraded results are not stored. */
export function cachedSource<Kind extends PassagesKind>(
  source: ContextSource<Kind, ChosenPassages>,
  cache: PieceCache,
  termsOf: Terms<Kind>,
): ContextSource<Kind, ChosenPassages> {
  return {
    name: source.name,
    fetch: (request, job, signal) => {
      const terms = termsOf(request, job);
      if (!terms) return source.fetch(request, job, signal);
      const { user, caching } = job;
      return throughCache(
        cache,
        {
          key: { kind: 'rag', user, fingerprint: fingerprintOf({ source: source.name, ...terms }) },
          codec,
          make: (still) => source.fetch(request, job, still),
          worth: ({ degraded }) => degraded === undefined,
        },
        { caching, signal },
      );
    },
  };
}
