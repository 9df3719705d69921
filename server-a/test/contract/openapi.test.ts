/** The document by itself, and against the code that it describes. */
import { fileURLToPath } from 'node:url';
import { createConfig, lint } from '@redocly/openapi-core';
import test from 'ava';
import fc from 'fast-check';
import { ERRORS } from '../../src/errors.js';
import { checkSendRequest } from '../../src/request/schema.js';
import { asList, asObject } from '../support/json.js';
import { faultsBySchema, OPENAPI } from '../support/openapi.js';
import { sendBody } from '../support/send-bodies.js';

const FILE = fileURLToPath(new URL('../../openapi.yaml', import.meta.url));

test('openapi: the linter, at its strictest -> nothing to say', async (t) => {
  const config = await createConfig({
    extends: ['recommended-strict'],
    rules: {
      // The operators' routes refuse nothing.
      'operation-4xx-response': 'off',
      // 404 and 405 belong to paths and methods that are not listed.
      'no-unused-components': 'off',
    },
  });
  const problems = await lint({ ref: FILE, config });
  t.deepEqual(
    problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer}`),
    [],
  );
});

test('openapi: error codes and messages -> those of the catalogue, all of them', (t) => {
  const { schemas } = asObject(OPENAPI['components']);
  const documented = Object.values(asObject(schemas)).flatMap((schema) => {
    const { properties } = asObject(schema);
    const { error_code: code, message } = asObject(properties ?? {});
    if (code === undefined) return [];
    // A code with several messages has the catalogue's first.
    const { const: only, enum: several } = asObject(message);
    return [[asObject(code)['const'], only ?? asList(several)[0]]];
  });
  const catalogue = Object.entries(ERRORS).map(([code, { message }]) => [code, message]);
  t.deepEqual(documented.sort(), catalogue.sort());
});

test('openapi: any body -> valid by the document exactly when the gateway takes it', (t) => {
  let valid = 0;
  fc.assert(
    fc.property(sendBody, (value) => {
      const body: unknown = JSON.parse(JSON.stringify(value) ?? 'null');
      const taken = 'request' in checkSendRequest(body);
      const documented = faultsBySchema('/components/schemas/SendSmsRequest', body) === '';
      if (taken) valid += 1;
      // The one rule that JSON Schema has no words for; the document says it in prose.
      const halfPair = typeof body === 'object' && body !== null && 'text' in body && !wellFormed(body.text);
      t.is(documented && !halfPair, taken, JSON.stringify(body));
    }),
    { numRuns: 10_000 },
  );
  t.true(valid > 100, `only ${valid} bodies were valid: the property shows nothing`);
});

const wellFormed = (text: unknown): boolean => typeof text !== 'string' || text.isWellFormed();
