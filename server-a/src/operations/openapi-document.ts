/** The contract with senders, as it was built from openapi.yaml. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { packageFile } from '../package-files.js';
import { answerJson } from '../request/answers.js';
import type { Layer } from '../request/state.js';

/**
 * `GET /openapi.json`: the OpenAPI document, or 304 to who has it already. Read once, here.
 *
 * @throws Error when the gateway was not built
 */
export function openapiDocument(): Layer {
  const json = readFileSync(packageFile('dist/openapi.json'), 'utf8');
  const etag = `"${createHash('sha256').update(json).digest('base64url').slice(0, 22)}"`;
  return async function openapiDocument(ctx) {
    ctx.set('ETag', etag);
    // Small, and seldom asked for: a sender that asks again always learns of a new version.
    ctx.set('Cache-Control', 'no-cache');
    ctx.status = 200;
    if (ctx.fresh) ctx.status = 304;
    else answerJson(ctx, 200, json);
  };
}
