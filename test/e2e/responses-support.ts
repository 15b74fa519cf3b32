export const MODEL = 'turnout-sim';
export const REASONER = 'turnout-sim-reasoner';
export const FACT = 'The night train to Ostheim leaves from platform 11.';
export const QUESTION = 'From which platform does the night train to Ostheim leave?';
/** Slows the simulated model down: text that arrives at once is sent on as one piece. */
export const PACED = '[[sim: tps=60]]';
export const ANSWER = 'platform 11';
export const WEATHER_QUESTION = 'Please call get_weather for city: Oslo';
export const WEATHER = '-3 degrees, snow';

export async function collectAll<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of stream) all.push(one);
  return all;
}
