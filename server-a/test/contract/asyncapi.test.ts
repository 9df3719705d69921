/** The document by itself, and against the code; every message that a test takes from a queue is held to it as well. */
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import test from 'ava';
import { HEARTBEAT_TYPE } from '../../src/background/heartbeat.js';
import { ENVELOPE_TYPE } from '../../src/rabbitmq/envelope.js';
import { ASYNCAPI } from '../support/asyncapi.js';
import { asList, asObject } from '../support/json.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const SPECIFICATION: unknown = createRequire(import.meta.url)(
  '@asyncapi/specs/schemas/3.0.0-without-$id.json',
);

test('asyncapi: the document -> valid by the schema of AsyncAPI 3.0', (t) => {
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  const validate = ajv.compile(asObject(SPECIFICATION));
  validate(ASYNCAPI);
  t.deepEqual(validate.errors ?? [], []);
});

test('asyncapi: references -> lead somewhere, all of them', (t) => {
  const references = [...JSON.stringify(ASYNCAPI).matchAll(/"\$ref":"#([^"]+)"/g)].map(
    ([, path = '']) => path,
  );
  t.true(references.length > 10);
  for (const reference of references) {
    let value: unknown = ASYNCAPI;
    for (const part of reference.split('/').slice(1)) value = asObject(value)[part.replaceAll('~1', '/')];
    t.not(value, undefined, reference);
  }
});

test('asyncapi: message types -> those that the gateway publishes', (t) => {
  const { messages } = asObject(ASYNCAPI['components']);
  t.deepEqual(Object.keys(asObject(messages)).sort(), [ENVELOPE_TYPE, HEARTBEAT_TYPE].sort());
});

test('asyncapi: the examples -> valid by their own schemas', (t) => {
  const ajv = new Ajv({ strict: false });
  ajv.addSchema(ASYNCAPI, 'asyncapi');
  for (const message of Object.values(asObject(asObject(ASYNCAPI['components'])['messages']))) {
    const { payload, examples } = asObject(message);
    const validate = ajv.compile({ $ref: `asyncapi${asObject(payload)['$ref']}` });
    for (const example of asList(examples))
      t.true(validate(asObject(example)['payload']), ajv.errorsText(validate.errors));
  }
});

test('asyncapi: every field of an envelope, and a heartbeat -> as documented', async (t) => {
  const site = new Site({ variables: { HEARTBEAT_INTERVAL_SECONDS: '1' } });
  t.teardown(() => site.close());
  const gateway = await site.startGateway();
  const outbox = await site.openOutbox();
  const beats = await site.openOutbox(site.heartbeatQueue);
  const body = { ...newBody(), ttl_seconds: 600, providers: ['first', 'Beta', 'Gamma'] };
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  await gateway.send({ apiKey: site.apiKey('main'), body, headers: { traceparent, tracestate: 'a=1' } });
  const { envelope } = await outbox.theOneWithText(body.text);
  const { properties } = asObject(asObject(asObject(ASYNCAPI['components'])['schemas'])['Envelope']);
  t.deepEqual(Object.keys(envelope).sort(), Object.keys(asObject(properties)).sort());
  await waitFor('a heartbeat', () => beats.received.length > 0);
  await beats.settled();
});
