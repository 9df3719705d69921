/** Which code this is. */
import { readFileSync } from 'node:fs';
import * as yup from 'yup';
import { packageFile } from './package-files.js';

const PACKAGE = packageFile('package.json');
/** Written by `npm run build`. */
const BUILD = packageFile('dist/build.json');

/** Name, version and commit of the code. */
export interface Build {
  readonly name: string;
  readonly version: string;
  /** Abbreviated hash, with `-dirty` behind it for a tree with changes; `unknown` where nobody said it. */
  readonly commit: string;
}

/** Reads them from what the build has written. @throws Error when the gateway was not built */
export function readBuild(): Build {
  const { name, version } = yup
    .object({ name: yup.string().required(), version: yup.string().required() })
    .validateSync(JSON.parse(readFileSync(PACKAGE, 'utf8')));
  const { commit } = yup
    .object({ commit: yup.string().required() })
    .validateSync(JSON.parse(readFileSync(BUILD, 'utf8')));
  return { name, version, commit };
}
