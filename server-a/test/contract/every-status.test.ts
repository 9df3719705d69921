/** Every answer that the document lists is given by a gateway; each is held to the document where tests receive it. */
import { randomUUID } from 'node:crypto';
import test from 'ava';
import { ERRORS } from '../../src/errors.js';
import type { Gateway } from '../support/gateway.js';
import { asObject } from '../support/json.js';
import { OPENAPI } from '../support/openapi.js';
import { BATCH_PATH, REQUESTS_PATH, SEND_PATH } from '../support/paths.js';
import { connectRaw, splitAnswers } from '../support/raw-connection.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const site = new Site({ clients: { main: {}, none: { daily_quota: 0 } } });
const gateway = await site.startGateway();
/** The operators' routes are elsewhere; it is ready when it answers a sender. */
const withoutProviders = await site.startGateway(
  { PROVIDERS_CONFIG: '{}', OPERATIONS_PORT: '0' },
  { untilReady: false },
);
await withoutProviders.line('redis.ready');
/** Its services are where nobody listens. */
const alone = await site.startGateway(
  { REDIS_URL: 'redis://127.0.0.1:1/0', RABBITMQ_URL: 'amqp://127.0.0.1:1/' },
  { untilReady: false },
);
const apiKey = site.apiKey('main');

test.after.always(() => site.close());

/** Status, and error code if it has one. */
interface Outcome {
  readonly status: number;
  readonly code?: unknown;
}

async function sent(by: Gateway, body: unknown, key = apiKey, headers = {}): Promise<Outcome> {
  const { status, json } = await by.send({ apiKey: key, body, headers });
  return { status, code: json['error_code'] };
}

async function sentBatch(by: Gateway, messages: unknown, key = apiKey, headers = {}): Promise<Outcome> {
  const body = typeof messages === 'string' ? messages : { messages };
  const { status, json } = await by.sendBatch({ apiKey: key, body, headers });
  return { status, code: json['error_code'] };
}

async function asked(by: Gateway, path: string, method = 'GET'): Promise<Outcome> {
  const { status, text } = await by.ask(path, method);
  return { status, code: /"error_code":"(\w+)"/.exec(text)?.[1] };
}

/** Asks twice, the second time with the first answer's ETag. */
async function askedAgain(by: Gateway, path: string): Promise<Outcome> {
  const { headers } = await by.ask(path);
  const { status } = await by.ask(path, 'GET', { 'If-None-Match': headers.etag });
  return { status };
}

/** Sends bytes, and waits for the one answer to them. */
async function raw(bytes: string): Promise<Outcome> {
  const connection = await connectRaw(gateway.port);
  connection.socket.write(bytes);
  const answer = await waitFor('an answer', () =>
    splitAnswers(connection.received()).find(({ whole }) => whole),
  );
  connection.socket.destroy();
  return { status: answer.status, code: /"error_code":"(\w+)"/.exec(answer.body)?.[1] };
}

/** Asks what is known of a key, which has been refused before. */
async function askedOfKey(by: Gateway, key: string, ofClient = apiKey): Promise<Outcome> {
  await by.send({ apiKey: ofClient, idempotencyKey: 'refused-key', body: {} });
  const { status, json } = await by.ask(`${REQUESTS_PATH}${key}`, 'GET', { 'API-Key': ofClient });
  return { status, code: json['error_code'] };
}

const post = `post ${SEND_PATH}`;
const batch = `post ${BATCH_PATH}`;
const ofKey = `get ${REQUESTS_PATH}{idempotency_key}`;
const naming = (...providers: string[]) => ({ ...newBody(), providers });
const items = (...bodies: object[]) => bodies.map((body) => ({ idempotency_key: randomUUID(), ...body }));

const PRODUCERS: readonly (readonly [string, () => Promise<Outcome>])[] = [
  [`${post} 202`, () => sent(gateway, newBody())],
  [`${post} 400`, () => sent(gateway, {})],
  [`${post} 401`, () => sent(gateway, newBody(), 'nobody')],
  [`${post} 408`, () => raw(`POST ${SEND_PATH} HTTP/1.1\r\nHost: x\r\n`)],
  [`${post} 409`, () => sent(gateway, naming('Gamma'))],
  [`${post} 409`, () => sent(gateway, naming('Gamma', 'Delta'))],
  [`${post} 413`, () => sent(gateway, 'x'.repeat(40_000))],
  [`${post} 415`, () => sent(gateway, newBody(), apiKey, { 'Content-Type': 'text/plain' })],
  [`${post} 422`, () => sent(gateway, naming('Omega'))],
  [`${post} 429`, () => sent(gateway, newBody(), site.apiKey('none'))],
  [`${post} 431`, () => raw(`POST ${SEND_PATH} HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(9000)}\r\n\r\n`)],
  [`${post} 500`, () => sent(alone, newBody())],
  [`${post} 503`, () => sent(withoutProviders, newBody())],
  [`${batch} 207`, () => sentBatch(gateway, items(newBody(), {}, naming('Gamma'), naming('Omega')))],
  [`${batch} 207`, () => sentBatch(gateway, items(newBody(), naming('Gamma', 'Delta')), site.apiKey('none'))],
  [`${batch} 207`, () => sentBatch(alone, items(newBody()))],
  [`${batch} 207`, () => sentBatch(withoutProviders, items(newBody()))],
  [`${batch} 400`, () => sentBatch(gateway, [])],
  [`${batch} 401`, () => sentBatch(gateway, items(newBody()), 'nobody')],
  [`${batch} 408`, () => raw(`POST ${BATCH_PATH} HTTP/1.1\r\nHost: x\r\n`)],
  [`${batch} 413`, () => sentBatch(gateway, 'x'.repeat(600_000))],
  [`${batch} 415`, () => sentBatch(gateway, items(newBody()), apiKey, { 'Content-Type': 'text/plain' })],
  [
    `${batch} 431`,
    () => raw(`POST ${BATCH_PATH} HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(9000)}\r\n\r\n`),
  ],
  [`${ofKey} 200`, () => askedOfKey(gateway, 'refused-key')],
  [`${ofKey} 400`, () => askedOfKey(gateway, '%20')],
  [`${ofKey} 401`, () => askedOfKey(gateway, 'any', 'nobody')],
  [`${ofKey} 404`, () => askedOfKey(gateway, 'never-used')],
  [`${ofKey} 500`, () => askedOfKey(alone, 'any')],
  ['get /healthz 200', () => asked(alone, '/healthz')],
  ['get /readyz 200', () => asked(gateway, '/readyz')],
  ['get /readyz 503', () => asked(alone, '/readyz')],
  ['get /readyz 404', () => asked(withoutProviders, '/readyz')],
  ['get /metrics 200', () => asked(alone, '/metrics')],
  ['get /metrics 404', () => asked(withoutProviders, '/metrics')],
  ['get /openapi.json 200', () => asked(alone, '/openapi.json')],
  ['get /openapi.json 404', () => asked(withoutProviders, '/openapi.json')],
  ['get /openapi.json 304', () => askedAgain(alone, '/openapi.json')],
  ['NotFound 404', () => asked(alone, '/nothing')],
  ['MethodNotAllowed 405', () => asked(alone, SEND_PATH, 'DELETE')],
];

test('contract: every documented status -> produced, with every error code; and no other', async (t) => {
  const outcomes = await Promise.all(
    PRODUCERS.map(async ([what, produce]) => ({ what, ...(await produce()) })),
  );
  for (const { what, status } of outcomes) t.is(`${status}`, what.split(' ').at(-1) ?? '', what);
  const documented = Object.entries(asObject(OPENAPI['paths'])).flatMap(([path, operations]) =>
    Object.entries(asObject(operations)).flatMap(([method, operation]) =>
      Object.keys(asObject(asObject(operation)['responses'])).map((status) => `${method} ${path} ${status}`),
    ),
  );
  t.deepEqual(
    [...new Set(outcomes.map(({ what }) => what))].sort(),
    [...documented, 'NotFound 404', 'MethodNotAllowed 405'].sort(),
  );
  const codes = new Set(outcomes.flatMap(({ code }) => (code === undefined ? [] : [code])));
  t.deepEqual([...codes].sort(), Object.keys(ERRORS).sort());
});

test('contract: decisions that are replayed, with another body too -> as documented', async (t) => {
  for (const [client, body] of [
    ['main', newBody()],
    ['main', {}],
    ['main', naming('Gamma')],
    ['main', naming('Omega')],
    ['none', newBody()],
  ] as const) {
    const request = { apiKey: site.apiKey(client), idempotencyKey: randomUUID(), body };
    const first = await gateway.send(request);
    const second = await gateway.send({ ...request, body: { ...body, ttl_seconds: 99 } });
    t.deepEqual(second.bytes, first.bytes);
    t.is(second.headers['idempotency-mismatch'], 'true');
  }
});

test('contract: HEAD -> as GET, without a body', async (t) => {
  for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json']) {
    const { status, text } = await gateway.ask(path, 'HEAD');
    t.is(status, 200);
    t.is(text, '');
  }
});

test('contract: /openapi.json -> the document, whole', async (t) => {
  const { json, headers } = await gateway.ask('/openapi.json');
  t.deepEqual(json, OPENAPI);
  t.regex(String(headers['content-type']), /^application\/json/);
});
