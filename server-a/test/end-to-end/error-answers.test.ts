import test, { type ExecutionContext } from 'ava';
import type { Answer } from '../support/http-client.js';
import { asList, asObject } from '../support/json.js';
import { SEND_PATH } from '../support/paths.js';
import { newBody, Site } from '../support/site.js';

const DISABLED = { Off: { is_active: false, is_operational: true } };

const site = new Site({ clients: { main: {}, inactive: { is_active: false }, spent: { daily_quota: 0 } } });
const gateway = await site.startGateway();
const withoutProviders = await site.startGateway({ PROVIDERS_CONFIG: JSON.stringify(DISABLED) });
const withoutBroker = await site.startGateway(
  { RABBITMQ_URL: 'amqp://guest:guest@127.0.0.1:1/' },
  { untilReady: false },
);
const apiKey = site.apiKey('main');

test.after.always(() => site.close());

const FIELDS = ['error_code', 'message', 'details', 'tracking_id', 'timestamp'];
/** Words that only the inside of the gateway knows. */
const INSIDE = /redis|rabbit|amqp|ioredis|koa|node|\.js|\.ts|stack|errno|econn|127\.0\.0\.1|queue|lua/i;

/** Checks status, code and form of an error answer, and returns its details. */
function checkError(t: ExecutionContext, answer: Answer, status: number, code: string): unknown {
  const { json } = answer;
  t.is(answer.status, status);
  t.is(answer.headers['content-type'], 'application/json; charset=utf-8');
  t.is(answer.headers['x-powered-by'], undefined);
  t.is(json['error_code'], code);
  t.true(typeof json['message'] === 'string' && json['message'] !== '');
  t.deepEqual(
    Object.keys(json),
    FIELDS.filter((field) => field in json),
  );
  t.regex(String(json['timestamp']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  t.true(Math.abs(Date.parse(String(json['timestamp'])) - Date.now()) < 60_000);
  t.notRegex(answer.text, INSIDE);
  return json['details'];
}

test('errors: no API key, an unknown, an empty or an inactive one -> 401 UNAUTHORIZED, all alike', async (t) => {
  const messages = new Set<unknown>();
  for (const key of [undefined, 'unknown', '', site.apiKey('inactive'), `${apiKey}x`, apiKey.slice(0, -1)]) {
    const answer = await gateway.send({ ...(key !== undefined && { apiKey: key }), body: newBody() });
    t.is(checkError(t, answer, 401, 'UNAUTHORIZED'), undefined);
    messages.add(answer.json['message']);
  }
  t.is(messages.size, 1);
});

test('errors: the API key sent twice -> 401 UNAUTHORIZED', async (t) => {
  const answer = await gateway.send({ body: newBody(), headers: { 'API-Key': [apiKey, apiKey] } });
  checkError(t, answer, 401, 'UNAUTHORIZED');
});

test('errors: an API key of another case -> 401 UNAUTHORIZED', async (t) => {
  checkError(t, await gateway.send({ apiKey: apiKey.toUpperCase(), body: newBody() }), 401, 'UNAUTHORIZED');
});

test('errors: names of a prototype as API key -> 401 UNAUTHORIZED', async (t) => {
  for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    checkError(t, await gateway.send({ apiKey: key, body: newBody() }), 401, 'UNAUTHORIZED');
  }
});

test('errors: an invalid body -> 400 INVALID_PAYLOAD that names each fault by field', async (t) => {
  const details = checkError(t, await gateway.send({ apiKey, body: {} }), 400, 'INVALID_PAYLOAD');
  const faults = asList(asObject(details)['errors']).map(asObject);
  t.deepEqual(faults.map(({ field }) => field).sort(), ['text', 'to']);
  t.true(faults.every(({ message }) => typeof message === 'string' && message !== ''));
});

test('errors: an unknown provider -> 422 UNKNOWN_PROVIDER with the allowed names', async (t) => {
  const answer = await gateway.send({ apiKey, body: { ...newBody(), providers: ['Nobody'] } });
  const details = asObject(checkError(t, answer, 422, 'UNKNOWN_PROVIDER'));
  t.deepEqual(details['allowed'], ['Alpha', 'Beta', 'Gamma', 'Delta']);
  t.deepEqual(details['unknown'], ['Nobody']);
});

test('errors: the one provider disabled -> 409 PROVIDER_DISABLED', async (t) => {
  const answer = await gateway.send({ apiKey, body: { ...newBody(), providers: ['Gamma'] } });
  checkError(t, answer, 409, 'PROVIDER_DISABLED');
});

test('errors: every provider disabled -> 409 ALL_PROVIDERS_DISABLED', async (t) => {
  const answer = await gateway.send({ apiKey, body: { ...newBody(), providers: ['Gamma', 'Delta'] } });
  checkError(t, answer, 409, 'ALL_PROVIDERS_DISABLED');
});

test('errors: no provider named and none available -> 503 NO_PROVIDER_AVAILABLE with Retry-After', async (t) => {
  const answer = await withoutProviders.send({ apiKey, body: newBody() });
  checkError(t, answer, 503, 'NO_PROVIDER_AVAILABLE');
  t.regex(String(answer.headers['retry-after']), /^[1-9]\d*$/);
});

test('errors: quota used up -> 429 TOO_MANY_REQUESTS with Retry-After', async (t) => {
  const answer = await gateway.send({ apiKey: site.apiKey('spent'), body: newBody() });
  checkError(t, answer, 429, 'TOO_MANY_REQUESTS');
  t.regex(String(answer.headers['retry-after']), /^[1-9]\d*$/);
});

test('errors: no broker -> 500 INTERNAL_ERROR at once, with Retry-After and what to do', async (t) => {
  const answer = await withoutBroker.send({ apiKey, body: newBody() });
  t.deepEqual(checkError(t, answer, 500, 'INTERNAL_ERROR'), { accepted: 'no', retry: 'same_key' });
  t.regex(String(answer.headers['retry-after']), /^[1-9]\d*$/);
  t.true(answer.tookMs < 1000);
});

test('errors: a rejected request without a key -> no tracking id, since none was made', async (t) => {
  const bodies = [{}, { ...newBody(), providers: ['Nobody'] }, { ...newBody(), providers: ['Gamma'] }];
  for (const body of bodies) t.false('tracking_id' in (await gateway.send({ apiKey, body })).json);
  t.false('tracking_id' in (await gateway.send({ apiKey: site.apiKey('spent'), body: newBody() })).json);
});

test('errors: a body over 32 KiB -> 413 INVALID_PAYLOAD; of exactly 32 KiB -> read', async (t) => {
  const limit = 32 * 1024;
  const filled = JSON.stringify({ ...newBody(), text: '' });
  const body = filled.replace('""', `"${'x'.repeat(limit - filled.length)}"`);
  t.is(Buffer.byteLength(body), limit);
  checkError(t, await gateway.send({ apiKey, body }), 400, 'INVALID_PAYLOAD');
  checkError(t, await gateway.send({ apiKey, body: `${body} ` }), 413, 'INVALID_PAYLOAD');
});

test('errors: a small body followed by spaces up to 32 KiB -> 202', async (t) => {
  t.is((await gateway.send({ apiKey, body: JSON.stringify(newBody()).padEnd(32 * 1024) })).status, 202);
});

test('errors: another media type, or none -> 415 INVALID_PAYLOAD', async (t) => {
  const body = JSON.stringify(newBody());
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', undefined]) {
    const answer = await gateway.send({ apiKey, body, headers: { 'Content-Type': type } });
    checkError(t, answer, 415, 'INVALID_PAYLOAD');
  }
});

test('errors: a content encoding that nobody knows -> 415 INVALID_PAYLOAD', async (t) => {
  const answer = await gateway.send({ apiKey, body: newBody(), headers: { 'Content-Encoding': 'rot13' } });
  checkError(t, answer, 415, 'INVALID_PAYLOAD');
});

test('errors: an unknown path -> 404 NOT_FOUND', async (t) => {
  for (const path of ['/', '/api/v1/sms', '/api/v2/sms/send', '/..%2f', '/%ff', '/healthz/x']) {
    checkError(t, await gateway.ask(path), 404, 'NOT_FOUND');
  }
  checkError(t, await gateway.ask('/nothing', 'POST'), 404, 'NOT_FOUND');
});

test('errors: another method -> 405 METHOD_NOT_ALLOWED with Allow', async (t) => {
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
    const answer = await gateway.ask(SEND_PATH, method, { 'API-Key': apiKey });
    checkError(t, answer, 405, 'METHOD_NOT_ALLOWED');
    t.is(answer.headers.allow, 'POST');
  }
  for (const path of ['/healthz', '/readyz', '/metrics']) {
    const answer = await gateway.ask(path, 'POST');
    checkError(t, answer, 405, 'METHOD_NOT_ALLOWED');
    t.regex(String(answer.headers.allow), /\bGET\b/);
  }
});

test('errors: a method that no route has -> 405 METHOD_NOT_ALLOWED', async (t) => {
  checkError(t, await gateway.ask(SEND_PATH, 'PROPFIND'), 405, 'METHOD_NOT_ALLOWED');
});

test('errors: the send path in other letters or with a slash at its end -> 404, so that it cannot pass unobserved', async (t) => {
  for (const path of [`${SEND_PATH}/`, SEND_PATH.toUpperCase()]) {
    checkError(t, await gateway.ask(path, 'POST', { 'API-Key': apiKey }), 404, 'NOT_FOUND');
  }
});
