import { median } from '../measure/percentiles.ts';
import type { DocumentTimes, DocumentFindings, Peaks } from './measure.ts';
import type { DOCUMENTS_PLAN } from './plan.ts';
import { aligned } from '../measure/aligned.ts';

/** `.turnout/reports/documents.json`. Milliseconds and MiB. */
export interface DocumentsReport extends DocumentFindings {
  at: string;
  plan: typeof DOCUMENTS_PLAN;
  times: Record<keyof DocumentTimes, { p50: number; max: number }>;
}

const LABELS: Record<keyof DocumentTimes, string> = {
  uploaded: 'accepted by the API',
  processed: 'text extracted',
  embedded: 'vectors stored',
  firstAnswer: 'first word of the first answer',
  nextAnswers: 'first word of later answers',
  inline: 'first word, PDF inside the request',
  atOnce: 'upload to first word, without waiting',
};

const NAMES = Object.keys(LABELS) as (keyof DocumentTimes)[];

export function toDocumentsReport(
  findings: DocumentFindings,
  plan: typeof DOCUMENTS_PLAN,
  at: Date,
): DocumentsReport {
  const of = (name: keyof DocumentTimes) => {
    const all = findings.documents.map((times) => times[name]);
    return { p50: Math.round(median(all)), max: Math.round(Math.max(...all)) };
  };
  const times = Object.fromEntries(NAMES.map((name) => [name, of(name)])) as DocumentsReport['times'];
  return { at: at.toISOString(), plan, times, ...findings };
}

/** The report as text. */
export function documentsText({ plan, bytes, times, crowd, peaks, documents }: DocumentsReport): string {
  const rows = NAMES.map((name) => [LABELS[name], String(times[name].p50), String(times[name].max)]);
  return [
    `PDFs of ${plan.pages} pages, ${Math.round(bytes / 1_024)} KiB each, ${documents.length} in sequence`,
    ...aligned([['ms', 'p50', 'max'], ...rows]),
    `${plan.crowd} at the same time: the last text was extracted after ${Math.round(Math.max(...crowd))} ms`,
    '',
    ...aligned([['peak MiB', 'context worker', 'its readers', 'ingress'], ...memoryRows(peaks)]),
  ].join('\n');
}

/** Several moments: memory that leaks still grows between the middle and the last document. */
function memoryRows({ before, afterEach, afterCrowd }: DocumentFindings['peaks']): string[][] {
  const moments: [string, Peaks | undefined][] = [
    ['before', before],
    ['after the first', afterEach[0]],
    ['after half of them', afterEach[Math.floor((afterEach.length - 1) / 2)]],
    ['after the last', afterEach.at(-1)],
    ['after the concurrent ones', afterCrowd],
  ];
  return moments.flatMap(([when, peaks]) =>
    peaks ? [[when, ...[peaks.contextWorker, sumOf(peaks.readers), peaks.ingress].map(String)]] : [],
  );
}

/** An upper bound: the processes reach their peaks at different times. */
function sumOf(readers: Peaks['readers']): number {
  return readers.reduce((sum, peak) => sum + peak, 0);
}
