/** The contract with senders, as it was built from openapi.yaml. */
import { readFileSync } from 'node:fs';
import { answerJson, setHeader } from '../answers.js';
import type { Layer } from '../request-state.js';

/** The document changes with a release only; an hour is soon enough to hear of one. */
const CACHE_CONTROL = 'max-age=3600';

/**
 * `GET /openapi.json`: the OpenAPI document. Read once, here.
 *
 * @throws when the gateway was not built
 */
export function openapiDocument(): Layer {
  const document = readFileSync(new URL('../../dist/openapi.json', import.meta.url), 'utf8');
  return async function openapiDocument(ctx) {
    setHeader(ctx, 'Cache-Control', CACHE_CONTROL);
    answerJson(ctx, 200, document);
  };
}
