/** Part of `npm run build`: writes openapi.yaml as dist/openapi.json, which the gateway serves. */
import { readFileSync, writeFileSync } from 'node:fs';
import { parse } from 'yaml';

const document: unknown = parse(readFileSync(new URL('../openapi.yaml', import.meta.url), 'utf8'));
writeFileSync(new URL('../dist/openapi.json', import.meta.url), JSON.stringify(document));
