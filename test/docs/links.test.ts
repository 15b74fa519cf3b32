import { existsSync, readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { repositoryRoot } from '../../stack/layout.ts';

const pages = execFileSync('git', ['ls-files', '*.md'], { cwd: repositoryRoot, encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(repositoryRoot, file)));

const read = (file: string) => readFileSync(join(repositoryRoot, file), 'utf8');

/** What a link may name in a page: GitHub's anchors of its headings. */
function anchorsOf(file: string): string[] {
  const headings = withoutCode(read(file)).matchAll(/^#+\s+(.+)$/gm);
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-'),
  );
}

function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^```.*?^```/gms, '');
}

const links = pages.flatMap((page) =>
  [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => ({ page, link }))
    .filter(({ link }) => !/^[a-z]+:/.test(link)),
);

test('the pages have links', () => {
  expect(links.length).toBeGreaterThan(20);
});

test.each(links)('$page: $link leads somewhere', ({ page, link }) => {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? page : join(dirname(page), path);
  expect(existsSync(join(repositoryRoot, target))).toBe(true);
  if (anchor !== undefined) expect(anchorsOf(target)).toContain(anchor);
});
