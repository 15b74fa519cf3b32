import { z } from 'zod';
import { build } from './app.ts';

const environment = z.object({
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(8070),
});

function stop(code: number, line: object): never {
  process.stderr.write(`${JSON.stringify(line)}\n`);
  process.exit(code);
}

const parsed = environment.safeParse(process.env);
if (!parsed.success) stop(1, { msg: `bad environment: ${z.prettifyError(parsed.error)}` });

const upstream = build({
  host: parsed.data.HOST,
  port: parsed.data.PORT,
  onInternalError: (error) =>
    process.stderr.write(
      `${JSON.stringify({ msg: 'internal error', stack: String(error instanceof Error ? error.stack : error) })}\n`,
    ),
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void upstream.close().then(() => process.exit(0)));
}

try {
  const { url } = await upstream.start();
  process.stdout.write(`${JSON.stringify({ url, pid: process.pid, msg: 'upstream simulator listening' })}\n`);
} catch (error) {
  stop(1, {
    msg: `cannot listen on ${parsed.data.HOST}:${parsed.data.PORT}: ${error instanceof Error ? error.message : String(error)}`,
  });
}
