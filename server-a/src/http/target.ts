/** The target of a request line (RFC 9112, 3.2). */
import { SEND_PATH } from './paths.js';

/** Visible ASCII; a fragment is no part of a target. */
const PATH = /^\/[!"$-~]*$/;
const URL_OF_HTTP = /^https?:\/\/[!"$-~]+$/i;

/**
 * Returns the path and query that a target names; undefined = none. A proxy may write a whole URL, whose host says
 * nothing here. So Koa never gets a target that it would have to parse as a URL: that can throw, and warns on stderr.
 */
export function pathOfTarget(target: string): string | undefined {
  if (target === SEND_PATH || PATH.test(target)) return target;
  if (!URL_OF_HTTP.test(target) || !URL.canParse(target)) return undefined;
  const { pathname, search } = new URL(target);
  return pathname + search;
}
