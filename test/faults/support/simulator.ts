import { testEnv } from '../../harness/env.ts';
import { until } from '../../../stack/until.ts';
import { type Call, type LedgerView } from '../../upstream/ledger.ts';
import { type SocketCounts } from '../../upstream/http/sockets.ts';

/** A question that carries knobs for the simulator: `ask('Why?', 'tokens=40; tps=20')`. */
export function ask(question: string, knobs: string): { role: 'user'; content: string }[] {
  return [{ role: 'user', content: `${question} [[sim: ${knobs}]]` }];
}

/** The answer of a model without faults. The simulator's answer is a function of the messages. */
export async function undisturbed(body: Record<string, unknown>): Promise<string> {
  const response = await fetch(`${testEnv().UPSTREAM_URL}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-sim': NO_FAULTS },
    body: JSON.stringify({ ...body, stream: false }),
  });
  if (!response.ok) throw new Error(`The simulator refused the request: ${await response.text()}`);
  const { choices } = (await response.json()) as { choices: [{ message: { content: string } }] };
  return choices[0].message.content;
}

/** Knobs in the header override those in the messages. */
const NO_FAULTS = 'fail=off; cut=off; stall=off; malformed=off; hang=false; ttft=0; tps=0';

/** The calls that the provider received for a job, in order. */
export async function callsOf(jobId: string): Promise<Call[]> {
  const response = await fetch(`${testEnv().UPSTREAM_URL}/sim/ledger?job=${jobId}`);
  const { jobs } = (await response.json()) as LedgerView;
  return jobs[jobId] ?? [];
}

/** Every call and socket that the provider has seen since its start. */
export async function wholeLedger(): Promise<LedgerView & { sockets: SocketCounts }> {
  const response = await fetch(`${testEnv().UPSTREAM_URL}/sim/ledger`);
  return (await response.json()) as LedgerView & { sockets: SocketCounts };
}

/** Waits until the calls of a job satisfy the condition, and returns them. */
export async function callsWhen(jobId: string, wanted: (calls: Call[]) => boolean): Promise<Call[]> {
  let calls: Call[] = [];
  const found = await until(async () => wanted((calls = await callsOf(jobId))), {
    timeoutMs: 20_000,
    everyMs: 10,
  });
  if (!found)
    throw new Error(
      `The provider's calls did not reach the expected state within 20 s: ${JSON.stringify(calls)}`,
    );
  return calls;
}

/** Sets what the simulator does with every request for a model, until it is set again. `{}`: nothing special. */
export async function setModelKnobs(model: string, knobs: object): Promise<void> {
  const body = JSON.stringify({ model, knobs });
  const response = await fetch(`${testEnv().UPSTREAM_URL}/sim/knobs`, { method: 'PUT', body });
  if (!response.ok) throw new Error(`The simulator refused its knobs: ${await response.text()}`);
}
