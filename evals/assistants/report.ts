import type { AssistantQuality } from './quality.ts';
import type { RegistryShape } from './registries.ts';
import type { Speed } from './speed.ts';
import type { TunedFloor } from './tune.ts';
import { aligned } from '../../bench/measure/aligned.ts';

/** The shape of the registry for the speed measurement. */
export const SPEED_SHAPE: RegistryShape = { assistants: 100, examples: 20 };

/** `.turnout/reports/assistants.json`. The qualities are means over the drawn registries, on the test split. */
export interface AssistantsReport {
  at: string;
  qualities: (RegistryShape & { draws: number; quality: AssistantQuality; validation: TunedFloor })[];
  speed: Speed;
  heldToMs: number;
}

const HEAD = [
  'assistants x examples',
  'best is right',
  'AUROC',
  'right',
  'wrong',
  'oos recall',
  'oos precision',
  'near recall',
  'floor',
  'best floor (validation)',
];

export function assistantsText({ qualities, speed }: AssistantsReport): string {
  const rows = qualities.map(({ assistants, examples, draws, quality, validation }) => [
    `${assistants} x ${examples}${draws === 1 ? '' : ` (${draws} draws)`}`,
    ...[quality.bestIsRight, quality.auroc, quality.right, quality.wrong].map(percent),
    ...[quality.outsideRecall, quality.outsidePrecision, quality.nearRecall].map(percent),
    validation.inForce.toFixed(2),
    validation.best.toFixed(2),
  ]);
  return [
    ...aligned([HEAD, ...rows]),
    '',
    `${SPEED_SHAPE.assistants} assistants with ${SPEED_SHAPE.examples} examples and a pattern each: prepared in ${speed.prepare} ms;`,
    `a selection takes ${inMs(speed.short)} for a request of the data set, ${inMs(speed.long)} for 4,000 characters.`,
  ].join('\n');
}

function percent(share: number | undefined): string {
  return share === undefined ? '-' : `${(100 * share).toFixed(1)}%`;
}

function inMs({ p50, p99 }: Speed['short']): string {
  return `${p50.toFixed(3)} ms (p50) and ${p99.toFixed(3)} ms (p99)`;
}
