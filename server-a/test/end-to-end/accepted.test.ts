import test from 'ava';
import { newBody, Site, sha256 } from '../support/site.js';

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const site = new Site({ variables: { SERVICE_NAME: 'server-a-under-test' } });
/** Limits so long that a machine with other things to do does not reach them. */
const gateway = await site.startGateway({ REDIS_TIMEOUT_MS: '5000', PUBLISH_TIMEOUT_MS: '10000' });
const outbox = await site.openOutbox();
const apiKey = site.apiKey('main');

test.after.always(() => site.close());

test('send: a valid request -> 202 with the body of the specification', async (t) => {
  const { status, headers, json, text } = await gateway.send({ apiKey, body: newBody() });

  t.is(status, 202);
  t.is(headers['content-type'], 'application/json; charset=utf-8');
  t.is(headers['content-length'], String(Buffer.byteLength(text)));
  t.is(headers['idempotent-replayed'], undefined);
  t.regex(String(json['tracking_id']), UUID_V4);
  t.is(
    text,
    `{"success":true,"message":"Request accepted for processing.","tracking_id":"${json['tracking_id']}"}`,
  );
});

test('envelope: only the required fields -> exactly the fields of the specification, without providers_original', async (t) => {
  const body = newBody();
  const before = Date.now();
  const { json } = await gateway.send({ apiKey, body });
  const { envelope } = await outbox.theOneWithText(body.text);

  const { created_at: createdAt, ...rest } = envelope;
  t.deepEqual(rest, {
    tracking_id: json['tracking_id'],
    client_key: apiKey,
    to: body.to,
    text: body.text,
    ttl_seconds: 3600,
    providers_effective: [],
    config_fingerprint: {
      clients: sha256(site.variables.CLIENT_CONFIG),
      providers: sha256(site.variables.PROVIDERS_CONFIG),
    },
  });
  t.regex(String(createdAt), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const created = Date.parse(String(createdAt));
  t.true(created >= before && created <= Date.now());
});

test('envelope: all fields given -> providers as written and as effective, and the TTL given', async (t) => {
  const body = { ...newBody(), providers: ['FIRST', 'gamma', 'beta'], ttl_seconds: 120 };
  t.is((await gateway.send({ apiKey, body })).status, 202);
  const { envelope, message } = await outbox.theOneWithText(body.text);

  t.deepEqual(envelope['providers_original'], ['FIRST', 'gamma', 'beta']);
  t.deepEqual(envelope['providers_effective'], ['Alpha', 'Beta']);
  t.is(envelope['ttl_seconds'], 120);
  t.is(message.properties.expiration, '120000');
});

test('envelope: optional fields null -> as absent', async (t) => {
  const body = { ...newBody(), providers: null, ttl_seconds: null };
  t.is((await gateway.send({ apiKey, body })).status, 202);
  const { envelope } = await outbox.theOneWithText(body.text);

  t.false('providers_original' in envelope);
  t.deepEqual(envelope['providers_effective'], []);
  t.is(envelope['ttl_seconds'], 3600);
});

test('envelope: an empty list of providers -> given, and Server B chooses', async (t) => {
  const body = { ...newBody(), providers: [] };
  t.is((await gateway.send({ apiKey, body })).status, 202);
  const { envelope } = await outbox.theOneWithText(body.text);

  t.deepEqual(envelope['providers_original'], []);
  t.deepEqual(envelope['providers_effective'], []);
});

test('message: its properties -> persistent, with id, type, time, sender and TTL', async (t) => {
  const body = newBody();
  const { json } = await gateway.send({ apiKey, body });
  const { message } = await outbox.theOneWithText(body.text);

  const { deliveryMode, messageId, contentType, appId, type, expiration, timestamp } = message.properties;
  t.is(deliveryMode, 2);
  t.is(messageId, json['tracking_id']);
  t.is(contentType, 'application/json');
  t.is(appId, 'server-a-under-test');
  t.is(typeof type, 'string');
  t.is(expiration, '3600000');
  t.true(Math.abs(Number(timestamp) - Date.now() / 1000) < 30);
  t.is(message.fields.exchange, '');
});

test('message: a text of many scripts -> the same characters in the queue', async (t) => {
  const text = `${newBody().text} سلام دنیا · Привет · 你好 · 👩‍👩‍👧‍👦 · "quoted" \\ \n\t\u0000 · e\u0301`;
  t.is((await gateway.send({ apiKey, body: { to: '+4915112345678', text } })).status, 202);
  const { envelope } = await outbox.theOneWithText(text);

  t.is(envelope['to'], '+4915112345678');
});

test('send: the same body twice without a key -> two messages with two tracking ids', async (t) => {
  const body = newBody();
  const answers = [await gateway.send({ apiKey, body }), await gateway.send({ apiKey, body })];
  const messages = await outbox.withText(body.text);

  t.deepEqual(
    messages.map(({ envelope }) => envelope['tracking_id']),
    answers.map(({ json }) => json['tracking_id']),
  );
  t.is(new Set(answers.map(({ text }) => text)).size, 2);
});

test('send: 200 requests at once -> 200 messages, each with the tracking id of its answer', async (t) => {
  const bodies = Array.from({ length: 200 }, newBody);
  const answers = await Promise.all(bodies.map((body) => gateway.send({ apiKey, body })));
  await outbox.settled();

  t.true(answers.every(({ status }) => status === 202));
  const idOfText = new Map(
    outbox.received.map(({ envelope }) => [envelope['text'], envelope['tracking_id']]),
  );
  t.deepEqual(
    bodies.map(({ text }) => idOfText.get(text)),
    answers.map(({ json }) => json['tracking_id']),
  );
});

test('send: a content type with charset, in capitals -> accepted', async (t) => {
  const headers = { 'Content-Type': 'Application/JSON; Charset=UTF-8' };
  t.is((await gateway.send({ apiKey, body: newBody(), headers })).status, 202);
});

test('send: an API key in a header of another case -> accepted', async (t) => {
  const headers = { 'api-KEY': apiKey };
  t.is((await gateway.send({ body: newBody(), headers })).status, 202);
});
