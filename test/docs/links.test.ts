import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, it } from 'node:test';
import { documents, proseOf, read, root } from './documents.ts';

/** Of files in this repository: GitHub's anchors, letters and digits with hyphens for spaces. */
function anchorsOf(markdown: string): Set<string> {
  const headings = [...proseOf(markdown).matchAll(/^#{1,6} (.+)$/gm)].map((match) => match[1] ?? '');
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

describe('links', () => {
  for (const document of documents) {
    it(`in ${document} lead somewhere`, () => {
      const links = [...proseOf(read(document)).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
      for (const link of links) {
        if (/^https:\/\//.test(link)) continue;
        assert.doesNotMatch(link, /^[a-z]+:/, `${document}: ${link} is neither https nor a file`);
        const [path = '', anchor] = link.split('#');
        const target = path === '' ? document : normalize(join(dirname(document), path));
        assert.ok(existsSync(join(root, target)), `${document}: ${link} is not there`);
        if (anchor)
          assert.ok(anchorsOf(read(target)).has(anchor), `${document}: ${link} has no such heading`);
      }
    });

    it(`in ${document} name files that exist`, () => {
      const code = read(document).replace(/^```[\s\S]*?^```$/gm, '');
      for (const [, path = ''] of code.matchAll(
        /`((?:src|test|docs|schema|examples|scripts|bin)\/[\w./-]+)`/g,
      ))
        assert.ok(existsSync(join(root, path)), `${document}: ${path} is not there`);
    });
  }
});

describe('the documents', () => {
  it('are found from the README', () => {
    for (const document of documents) {
      if (document !== 'README.md')
        assert.ok(read('README.md').includes(`](${document})`), `README.md, under More: link to ${document}`);
    }
  });

  it('are those that the package and a reader expect', () => {
    for (const name of ['README', 'ARCHITECTURE', 'SECURITY', 'CONTRIBUTING', 'CHANGELOG'])
      assert.ok(documents.includes(`${name}.md`), `${name}.md is missing`);
    assert.match(read('LICENSE'), /Apache License\s+Version 2\.0, January 2004/);
  });
});
