/**
 * Part of `npm run build`: makes dist/ of src/. What is in it runs beside lua/ and package.json, and without the
 * node_modules/ that it was made of.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as yup from 'yup';
import { bundleGateway, bundlePackage } from './build/bundle.js';
import { commit } from './build/commit.js';
import { licences } from './build/licences.js';
import { openapiJson } from './build/openapi-json.js';

const FOLDER = resolve(import.meta.dirname, '..');
const DIST = join(FOLDER, 'dist');

const { dependencies } = yup
  .object({ dependencies: yup.object().required() })
  .validateSync(JSON.parse(readFileSync(join(FOLDER, 'package.json'), 'utf8')));
const packages = Object.keys(dependencies);

rmSync(DIST, { recursive: true, force: true });
mkdirSync(DIST);
const write = (file: string, text: string): void => writeFileSync(join(DIST, file), text);

const files = await Promise.all(
  packages.map((name) =>
    bundlePackage(name, {
      folder: FOLDER,
      outfile: join(DIST, 'node_modules', `${name}.js`),
      others: packages.filter((other) => other !== name),
    }),
  ),
);
write('node_modules/LICENCES.txt', licences(files.flat().map((file) => resolve(FOLDER, file))));
// The package around it says that a .js file is an ES module.
write('package.json', JSON.stringify({ type: 'commonjs' }));
write('openapi.json', openapiJson());
write('build.json', JSON.stringify({ commit: commit() }));
// Last: make takes this file for the whole.
await bundleGateway(join(FOLDER, 'src/main.ts'), join(DIST, 'main.js'));
