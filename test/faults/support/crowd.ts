import { randomUUID } from 'node:crypto';
import { responseIdOf } from '../../../shared/jobs/responses/response-id.ts';
import { testEnv } from '../../harness/env.ts';
import { jobIdOf } from './job-store.ts';
import { readResponse, type ReaderOptions, type ResponseReader } from './response-reading.ts';
import { ask, undisturbed } from './simulator.ts';

/** Background responses, and the readers of each. The first reader reads the stream that the creating request returned. */
export interface Crowd {
  responses: readonly Followed[];
  readers: readonly ResponseReader[];
}

interface Followed {
  id: string;
  jobId: string;
  /** The answer of a model without faults. */
  expected: Promise<string>;
  readers: readonly ResponseReader[];
}

interface CrowdOptions {
  urls: readonly string[];
  responses: number;
  readersOfEach: number;
  /** Knobs of the simulator. */
  knobs: string;
  /** The event numbers at which a reader disconnects. */
  drops: () => number[];
}

const MODEL = 'turnout-sim';

export async function gather(options: CrowdOptions): Promise<Crowd> {
  const responses = await Promise.all(
    Array.from({ length: options.responses }, (_, n) => follow(options, n)),
  );
  return { responses, readers: responses.flatMap(({ readers }) => readers) };
}

/** The same number of new readers for the same responses. */
export function gatherAgain({ responses }: Crowd, options: Omit<CrowdOptions, 'responses' | 'knobs'>): Crowd {
  const again = responses.map((response) => ({
    ...response,
    readers: Array.from({ length: options.readersOfEach }, (_, n) => read(options, response.id, n)),
  }));
  return { responses: again, readers: again.flatMap(({ readers }) => readers) };
}

async function follow(options: CrowdOptions, number: number): Promise<Followed> {
  const messages = ask(`Where does line ${number} from the harbour end?`, options.knobs);
  const key = randomUUID();
  const [jobId, apiKey] = [jobIdOf(key), testEnv().TURNOUT_API_KEY];
  const id = responseIdOf(jobId);
  const created = Promise.withResolvers<Response>();
  const begin: ReaderOptions['begin'] = async (url, signal) => {
    const response = await fetch(`${url}/v1/responses`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': key,
        authorization: `Bearer ${apiKey}`,
      },
      body: JSON.stringify({ model: MODEL, input: messages, background: true, stream: true }),
      signal,
    });
    created.resolve(response);
    return response;
  };
  const creator = read(options, id, number, begin);
  await Promise.race([created.promise, creator.over]);
  const others = Array.from({ length: options.readersOfEach - 1 }, (_, n) => read(options, id, number + n));
  return { id, jobId, expected: undisturbed({ model: MODEL, messages }), readers: [creator, ...others] };
}

function read(
  { urls, drops }: Pick<CrowdOptions, 'urls' | 'drops'>,
  responseId: string,
  first: number,
  begin?: ReaderOptions['begin'],
): ResponseReader {
  const rotated = urls.map((_, n) => urls[(first + n) % urls.length] ?? '');
  return readResponse({
    urls: rotated,
    apiKey: testEnv().TURNOUT_API_KEY,
    responseId,
    dropAt: drops(),
    ...(begin && { begin }),
  });
}
