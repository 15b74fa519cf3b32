import { errorCodes, errorSpec } from '../../../shared/platform/errors/catalogue.ts';
import { generator } from '../../upstream/core/random.ts';
import { type ClientOptions, playClient, type Testimony } from '../suite/client.ts';
import { type Ground } from '../suite/ground.ts';
import { type JobPlan, USERS } from '../suite/plan.ts';
import { type SuiteQuestion } from '../suite/questions.ts';

export interface SteadyLoad {
  /** Starts no more jobs. Resolves with what every client saw. */
  stop(): Promise<Testimony[]>;
}

interface LoadOptions {
  ground: Ground;
  questions: readonly SuiteQuestion[];
  perSecond: number;
  seed: number;
}

/** Sends requests at a fixed rate, independent of the answers, so that a slow system gets no relief. */
export function startSteadyLoad({ ground, questions, perSecond, seed }: LoadOptions): SteadyLoad {
  const random = generator(seed);
  const clients: Promise<Testimony>[] = [];
  const timer = setInterval(() => {
    const plan = planOne(questions.length, random);
    const question = questions[plan.question];
    if (question)
      clients.push(playSdk({ plan, question, ingresses: ground.ingresses, apiKeys: ground.apiKeys }));
  }, 1_000 / perSecond);
  return {
    stop: () => {
      clearInterval(timer);
      return Promise.all(clients);
    },
  };
}

/** Like the SDKs, asks again after a retryable error that has its own HTTP status. An error inside a stream cannot be retried. */
async function playSdk(options: ClientOptions): Promise<Testimony> {
  const first = await playClient(options);
  const { manner, stream } = options.plan;
  const error = errorCodes.find((code) => code === first.sights.at(-1)?.error);
  if (manner !== 'patient' || stream || error === undefined || !errorSpec(error).retryable) return first;
  const second = await playClient(options);
  return { ...second, sights: [...first.sights, ...second.sights] };
}

function planOne(questions: number, random: () => number): JobPlan {
  return {
    question: Math.floor(random() * questions),
    stream: random() < 0.65,
    manner: random() < 0.9 ? 'patient' : 'vanishing',
    startAfterMs: 0,
    hangUpAfterMs: 100 + Math.round(random() * 2_000),
    user: Math.floor(random() * USERS),
    ingress: random() < 0.5 ? 0 : 1,
  };
}
