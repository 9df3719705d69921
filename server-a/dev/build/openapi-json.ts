import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** Returns openapi.yaml as JSON, which the gateway serves. */
export function openapiJson(): string {
  const document: unknown = parse(readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8'));
  return JSON.stringify(document);
}
