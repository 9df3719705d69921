/** The curl commands of the READMEs, sent to a gateway: the answers are the ones printed below them. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import test from 'ava';
import type { Variables } from '../../dev/services/gateway-process.js';
import { ERRORS } from '../../src/errors.js';
import type { Gateway } from '../support/gateway.js';
import { type Answer, ask } from '../support/http-client.js';
import { parseObject } from '../support/json.js';
import { codeBlocks, sectionsOf } from '../support/markdown.js';
import { readCommand } from '../support/shell-words.js';
import { Site } from '../support/site.js';

const ROOT = new URL('../../../', import.meta.url);
const SEND_URLS = ['http://localhost:8000/api/v1/sms/send', 'http://localhost:8000/api/v1/sms/send-batch'];
/** Headers that the README leaves out: they say nothing about the outcome. */
const UNTOLD = new Set(['date', 'content-length', 'connection', 'keep-alive']);

/** A command, the configuration it needs beyond the usual one, and its answers, in order. */
interface Example {
  readonly title: string;
  readonly variables: Variables;
  readonly command: string;
  readonly answers: readonly string[];
}

const site = new Site();
/** Makes API keys of the documentation this run's own, so that runs side by side do not meet in Redis. */
const suffix = randomBytes(5).toString('hex');
const gateways = new Map<string, Promise<Gateway>>();

test.after.always(async () => {
  const left = await site.redis.keys(`*${suffix}*`);
  if (left.length > 0) await site.redis.del(left);
  await site.close();
});

const examples = examplesOf(readFile('README.md'), 'What it answers');

test('README: every answer of the send endpoint that needs no failure -> has a command', (t) => {
  const bodies = examples.flatMap(({ answers }) => answers.map((answer) => parseObject(bodyOf(answer))));
  const { INTERNAL_ERROR, NOT_FOUND, KEY_NOT_FOUND, METHOD_NOT_ALLOWED, ...refusals } = ERRORS;
  t.deepEqual(
    [...new Set(bodies.map((body) => String(body['error_code'] ?? 'accepted')))].sort(),
    ['accepted', ...Object.keys(refusals)].sort(),
  );
});

// One after the other: a replay needs what was answered before it.
for (const { title, variables, command, answers } of examples) {
  test.serial(`README: ${title} -> answered as printed`, async (t) => {
    const gateway = await gatewayWith(variables);
    for (const answer of answers) {
      t.deepEqual(receivedAnswer(await send(gateway, command)), printedAnswer(answer));
    }
  });
}

test('README: replay -> printed with the body of the first answer', (t) => {
  const [first, second] = examples.flatMap(({ answers }) => answers).map(bodyOf);
  t.is(first, second);
});

test('server-a/README: curl of a request with everything in it -> 202', async (t) => {
  const [command = ''] = codeBlocks(readFile('server-a/README.md'))
    .map(({ text }) => text)
    .filter((text) => text.startsWith('curl '));
  t.is((await send(await gatewayWith({}), command)).status, 202);
});

function readFile(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8');
}

function examplesOf(markdown: string, chapter: string): Example[] {
  let variables: Variables = {};
  return sectionsOf(markdown, chapter).flatMap(({ title, text }) => {
    const blocks = codeBlocks(text);
    const shell = blocks.filter(({ language }) => language === 'sh').map((block) => block.text);
    const start = shell.find((command) => command.endsWith('make run'));
    if (start !== undefined) variables = readCommand(start).variables;
    const command = shell.find((line) => line.startsWith('curl '));
    const answers = blocks.filter(({ language }) => language === 'http').map((block) => block.text);
    return command === undefined ? [] : [{ title, variables, command, answers }];
  });
}

/** A gateway with the configuration of .env.example and some other variables; one for each such set. */
function gatewayWith(variables: Variables): Promise<Gateway> {
  const name = JSON.stringify(variables);
  const known = gateways.get(name);
  if (known !== undefined) return known;
  const { CLIENT_CONFIG = '', PROVIDERS_CONFIG = '' } = {
    ...parseEnv(readFile('.env.example')),
    ...variables,
  };
  const started = site.startGateway({ CLIENT_CONFIG: withOwnKeys(CLIENT_CONFIG), PROVIDERS_CONFIG });
  gateways.set(name, started);
  return started;
}

function withOwnKeys(clientConfig: string): string {
  const clients: unknown = JSON.parse(clientConfig);
  return JSON.stringify(
    Object.fromEntries(Object.entries(Object(clients)).map(([key, client]) => [ownKey(key), client])),
  );
}

const ownKey = (key: string): string => `${key}-${suffix}`;

/** Does what curl would do. */
function send({ port }: Gateway, command: string): Promise<Answer> {
  const [curl, ...words] = readCommand(command).words;
  const headers: Record<string, string> = {};
  let body: string | undefined;
  let url = '';
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === '-H') {
      const [, name = '', value = ''] = /^([^:]+): (.*)$/.exec(words.shift() ?? '') ?? [];
      headers[name] = name === 'API-Key' ? ownKey(value) : value;
    } else if (word === '-d') {
      body = words.shift();
    } else if (word !== '-i') {
      url = word;
    }
  }
  if (curl !== 'curl' || !SEND_URLS.includes(url) || body === undefined)
    throw new Error(`cannot send: ${command}`);
  return ask({ port, path: new URL(url).pathname, method: 'POST', headers, body });
}

/** An answer, printed or received, in one form. */
interface Said {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

function printedAnswer(text: string): Said {
  const [head = ''] = text.split('\n\n');
  const [statusLine = '', ...lines] = head.split('\n');
  const headers = lines.map((line) => {
    const [name = ''] = line.split(':');
    return [name.toLowerCase(), line.slice(name.length + 1).trim()];
  });
  const status = Number(statusLine.split(' ')[1]);
  return timeless({ status, headers: Object.fromEntries(headers), body: bodyOf(text) });
}

function receivedAnswer({ status, headers, text }: Answer): Said {
  const told = Object.entries(headers).filter(([name]) => !UNTOLD.has(name));
  return timeless({
    status,
    headers: Object.fromEntries(told.map(([name, value]) => [name, String(value)])),
    body: text,
  });
}

/** Replaces what differs from run to run: ids, times, seconds to midnight. */
function timeless({ status, headers, body }: Said): Said {
  const untilMidnight = { 'retry-after': status === 429 ? /\d+/ : /(?!)/, ratelimit: /(?<=;t=)\d+/ };
  const same = { ...headers };
  for (const [name, seconds] of Object.entries(untilMidnight)) {
    const value = same[name];
    if (value !== undefined) same[name] = value.replace(seconds, '<seconds>');
  }
  return {
    status,
    headers: same,
    body: body
      .replace(/"tracking_id":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"/g, '<id>')
      .replace(/"timestamp":"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '<time>'),
  };
}

function bodyOf(printed: string): string {
  return printed.split('\n\n')[1] ?? '';
}
