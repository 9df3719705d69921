import { readFileSync } from 'node:fs';
import * as yup from 'yup';
import { packageFile } from '../package-files.js';

/** Returns name and version of the package, as in `server-a 0.1.0`. */
export function versionText(): string {
  const content: unknown = JSON.parse(readFileSync(packageFile('package.json'), 'utf8'));
  const { name, version } = yup
    .object({ name: yup.string().required(), version: yup.string().required() })
    .validateSync(content);
  return `${name} ${version}`;
}
