/** The checks that every test's answers and messages pass through: they find what is wrong. */

import type { ConsumeMessage } from 'amqplib';
import test from 'ava';
import { faultsOfMessage } from '../support/asyncapi.js';
import { checkAgainstContract, type Exchange } from '../support/contract.js';
import { SEND_PATH } from '../support/paths.js';

const ID = '5c566966-b31a-491a-ade4-a5192c76c14d';
const ACCEPTED: Exchange = {
  method: 'POST',
  path: SEND_PATH,
  status: 202,
  headers: { 'content-type': 'application/json; charset=utf-8' },
  text: `{"success":true,"message":"Request accepted for processing.","tracking_id":"${ID}"}`,
};
const JSON_HEADERS = ACCEPTED.headers;

test('contract check: an answer as documented -> nothing to say', (t) => {
  t.notThrows(() => checkAgainstContract(ACCEPTED));
  t.notThrows(() => checkAgainstContract({ ...ACCEPTED, path: `${SEND_PATH}?a=1` }));
});

for (const [what, wrong] of Object.entries<Partial<Exchange>>({
  'a status that is not documented': { status: 201 },
  'a field too many': { text: ACCEPTED.text.replace('{', '{"more":1,') },
  'a field too few': { text: '{"success":true,"message":"Request accepted for processing."}' },
  'an id that is no UUIDv4': { text: ACCEPTED.text.replace('-491a-', '-191a-') },
  'another media type': { headers: { 'content-type': 'text/html' } },
  'a header that is not documented there': { headers: { ...JSON_HEADERS, 'retry-after': '1' } },
  'a header with another form': { headers: { ...JSON_HEADERS, ratelimit: 'r=1' } },
  'a path that is not documented': { path: '/other' },
  'a method that is not documented': { method: 'PUT' },
  'a required header that is missing': {
    status: 500,
    text: '{"error_code":"INTERNAL_ERROR","message":"The request could not be processed. Retry with the same idempotency key.","details":{"accepted":"no","retry":"same_key"},"timestamp":"2026-11-23T05:28:31.453Z"}',
  },
  'another code with that status': {
    status: 401,
    text: '{"error_code":"NOT_FOUND","message":"There is nothing at this path.","timestamp":"2026-11-23T05:28:31.453Z"}',
  },
})) {
  test(`contract check: ${what} -> refused`, (t) => {
    t.throws(() => checkAgainstContract({ ...ACCEPTED, ...wrong }), { message: /not as in openapi.yaml/ });
  });
}

const ENVELOPE = {
  tracking_id: ID,
  client_key: 'key',
  to: '+989121234567',
  text: 'Hello',
  ttl_seconds: 60,
  providers_effective: [],
  config_fingerprint: { clients: 'a'.repeat(64), providers: 'b'.repeat(64) },
  created_at: '2026-11-23T05:28:29.840Z',
};

function message(envelope: object, properties: object): ConsumeMessage {
  const usual = {
    type: 'sms.outbound.v1',
    deliveryMode: 2,
    contentType: 'application/json',
    messageId: ID,
    timestamp: 1,
    appId: 'server-a',
    expiration: '60000',
    headers: {},
    contentEncoding: undefined,
    priority: undefined,
    correlationId: undefined,
    replyTo: undefined,
    userId: undefined,
    clusterId: undefined,
  };
  return {
    content: Buffer.from(JSON.stringify({ ...ENVELOPE, ...envelope })),
    fields: { deliveryTag: 1, redelivered: false, exchange: '', routingKey: '', consumerTag: '' },
    properties: { ...usual, ...properties },
  };
}

test('message check: a message as documented -> nothing to say', (t) => {
  t.is(faultsOfMessage(message({}, {})), '');
  t.is(faultsOfMessage(message({ providers_original: ['a'] }, { headers: { traceparent: 'x' } })), '');
});

for (const [what, envelope, properties] of [
  ['a field too many', { more: 1 }, {}],
  ['a number that is no E.164', { to: '12' }, {}],
  ['a type that is not documented', {}, { type: 'sms.outbound.v2' }],
  ['not persistent', {}, { deliveryMode: 1 }],
  ['no expiration', {}, { expiration: undefined }],
] as const) {
  test(`message check: ${what} -> said`, (t) => {
    t.not(faultsOfMessage(message(envelope, properties)), '');
  });
}
