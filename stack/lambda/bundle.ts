import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type Plugin } from 'esbuild';
import { repositoryRoot } from '../layout.ts';

export interface Bundle {
  /** The Lambda function's code: `lambda.mjs`, the Lua scripts that it reads, and the repository's assistants. */
  folder: string;
  /** The size of `lambda.mjs`. */
  bytes: number;
  gzippedBytes: number;
  /** Bytes by package, the largest first. `turnout` is the repository's own code. */
  parts: [name: string, bytes: number][];
}

/** Some packages are CommonJS and call `require` for Node's built-in modules. */
const BANNER = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** The path of the assistants relative to a service's working folder. */
const ASSISTANTS = join('deploy', 'assistants');

/** Bundles `services/ingress/lambda.ts` with all its imports into one file for Node 24. */
export async function bundleLambda(folder: string): Promise<Bundle> {
  rmSync(folder, { recursive: true, force: true });
  const file = join(folder, 'lambda.mjs');
  const { metafile } = await build({
    entryPoints: [join(repositoryRoot, 'services', 'ingress', 'lambda.ts')],
    absWorkingDir: repositoryRoot,
    outfile: file,
    bundle: true,
    minify: true,
    // The code distinguishes errors by their names.
    keepNames: true,
    metafile: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    banner: { js: BANNER },
    plugins: [placesKept],
    logLevel: 'warning',
  });
  cpSync(join(repositoryRoot, ASSISTANTS), join(folder, ASSISTANTS), { recursive: true });
  copyLua(new Set(Object.keys(metafile.inputs).map(dirname)), folder);
  const [output] = Object.values(metafile.outputs);
  const code = readFileSync(file);
  return {
    folder,
    bytes: code.length,
    gzippedBytes: gzipSync(code).length,
    parts: byPackage(output?.inputs ?? {}),
  };
}

/**
 * Turnout's modules find the files in their own folder by `import.meta.url`. In the bundle this becomes the module's original path, because the
 * files are copied to the same paths as in the repository.
 */
const placesKept: Plugin = {
  name: 'places-kept',
  setup: (bundling) => {
    bundling.onLoad({ filter: /\/(services|shared)\/.*\.ts$/ }, async ({ path }) => {
      const place = `new URL(${JSON.stringify(relative(repositoryRoot, path))}, import.meta.url).href`;
      const code = await readFile(path, 'utf8');
      return { contents: code.replaceAll('import.meta.url', place), loader: 'ts' };
    });
  },
};

/** Copies the Lua scripts in these folders and below them. */
function copyLua(folders: ReadonlySet<string>, to: string): void {
  const ours = [...folders].filter((name) => /^(services|shared)(\/|$)/.test(name));
  for (const from of ours) {
    for (const file of readdirSync(join(repositoryRoot, from), { recursive: true, encoding: 'utf8' })) {
      if (file.endsWith('.lua')) cpSync(join(repositoryRoot, from, file), join(to, from, file));
    }
  }
}

function byPackage(inputs: Readonly<Record<string, { bytesInOutput: number }>>): Bundle['parts'] {
  const sizes = new Map<string, number>();
  for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
    const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? 'turnout';
    sizes.set(name, (sizes.get(name) ?? 0) + bytesInOutput);
  }
  return [...sizes].sort(([, one], [, other]) => other - one);
}
