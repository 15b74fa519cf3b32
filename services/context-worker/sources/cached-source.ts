import { jsonCodec } from '../../../shared/content/cache/codec.ts';
import { fingerprintOf } from '../../../shared/content/cache/fingerprint.ts';
import { type ChosenPassages, chosenPassages } from '../../../shared/contracts/flow.ts';
import { type PieceCache, throughCache } from '../cache/through-cache.ts';
import { type ContextSource, type PieceJob, type Request } from './context-source.ts';

const codec = jsonCodec(chosenPassages);

/** A source of passages. */
export type PassagesKind = 'document' | 'remote';

/** All that a piece depends on beside its user; undefined for one that is not worth a look-up. */
export type Terms<Kind extends PassagesKind> = (request: Request<Kind>, job: PieceJob) => object | undefined;

/** A source that finds again what its user was given for the same. What is worse than it should be is not kept. */
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
