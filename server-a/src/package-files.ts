/** Where the files are that the gateway reads beside its code. */
import { join } from 'node:path';

/** Returns the path of a file of this package, by its path in it. Found from src/ and from dist/ alike: both are folders of it. */
export function packageFile(path: string): string {
  return join(import.meta.dirname, '..', path);
}
