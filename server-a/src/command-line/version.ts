import { readFileSync } from 'node:fs';
import * as yup from 'yup';

/** Beside src/ and dist/ alike, and in the image. */
const PACKAGE = new URL('../../package.json', import.meta.url);

/** Returns name and version of the package, as in `server-a 0.1.0`. */
export function versionText(): string {
  const content: unknown = JSON.parse(readFileSync(PACKAGE, 'utf8'));
  const { name, version } = yup
    .object({ name: yup.string().required(), version: yup.string().required() })
    .validateSync(content);
  return `${name} ${version}`;
}
