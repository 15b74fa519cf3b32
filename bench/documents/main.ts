/** `make documents`: measures 200-page PDFs from upload to answer, and the memory they take. Exits with 1 if an answer was wrong. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { sayAs, writeReport } from '../../stack/reports.ts';
import { type BenchSystem, startBenchSystem } from '../bench-system.ts';
import { type DocumentFindings, measureDocuments } from './measure.ts';
import { DOCUMENTS_PLAN } from './plan.ts';
import { toDocumentsReport, documentsText } from './report.ts';

const say = sayAs('documents');

const EMBEDDING_MODEL = 'text-embedding-sim';

const system = await startBenchSystem(say);
const blobFolder = mkdtempSync(join(tmpdir(), 'turnout-documents-'));
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stop().finally(() => process.exit(1)));
}
try {
  const report = toDocumentsReport(await measure(system), DOCUMENTS_PLAN, new Date());
  console.log(documentsText(report));
  for (const wrong of report.wrong) console.log(`WRONG ${wrong}`);
  writeReport('documents', report, say);
  process.exitCode = report.wrong.length === 0 ? 0 : 1;
} finally {
  say('stopping');
  await stop();
}

async function measure(bench: BenchSystem): Promise<DocumentFindings> {
  say('starting the services');
  const env = { EMBEDDING_MODEL, BLOB_DIR: blobFolder };
  const { target, pids } = await bench.turnout('litellm', { name: 'documents', env });
  const client = new OpenAI({ baseURL: target.baseUrl, apiKey: target.apiKeys[0] ?? '', maxRetries: 0 });
  return measureDocuments({ client, pids, blobFolder, plan: DOCUMENTS_PLAN, say });
}

async function stop(): Promise<void> {
  await system.stop();
  rmSync(blobFolder, { recursive: true, force: true });
}
