/** The licences of the packages whose code is in dist/: most ask that their text goes with every copy. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as yup from 'yup';

const manifest = yup.object({
  name: yup.string().required(),
  version: yup.string().required(),
  license: yup.string().required(),
});

/** Returns name, version and licence of each package that one of the files belongs to, with the text where it has one. */
export function licences(files: readonly string[]): string {
  const folders = new Set(
    files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []),
  );
  const entries = [...folders].map((folder) => {
    const { name, version, license } = manifest.validateSync(
      JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')),
    );
    const texts = readdirSync(folder)
      .filter((file) => /^(?:licen[cs]e|copying|notice)/i.test(file))
      .map((file) => `\n${readFileSync(join(folder, file), 'utf8').trim()}\n`);
    return `${name} ${version}: ${license}\n${texts.join('')}`;
  });
  return [...new Set(entries)].sort().join(`\n${'-'.repeat(80)}\n\n`);
}
