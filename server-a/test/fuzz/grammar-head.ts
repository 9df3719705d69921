/** Request lines and headers: right, nearly right, and wrong. */
import { BATCH_PATH, REQUESTS_PATH, SEND_PATH } from '../support/paths.js';
import type { Random } from './random.js';

/** API keys that inputs may show. */
export interface Keys {
  readonly active: string;
  readonly inactive: string;
}

const METHODS = [
  ...(['GET', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'CONNECT', 'PROPFIND'] as const),
  ...(['post', 'Post', 'FOO', '', 'PRI', 'SOURCE', 'M-SEARCH', 'P\u00d6ST', 'GET\u0000', '(', 'X'] as const),
  'X'.repeat(300),
] as const;

const TARGETS = [
  ...([
    '/healthz',
    '/healthz',
    '/openapi.json',
    `${REQUESTS_PATH}key`,
    `${REQUESTS_PATH}%zz`,
    `${REQUESTS_PATH}a%2Fb?c`,
    REQUESTS_PATH,
    '/readyz',
    '/',
    '/nothing',
    '//',
    '//x/y',
    '*',
    '/..',
  ] as const),
  ...([`${SEND_PATH}/`, `${SEND_PATH}?a=b`, `${SEND_PATH}#f`, `/${SEND_PATH}`, '/API/V1/SMS/SEND'] as const),
  ...([BATCH_PATH, BATCH_PATH, `${BATCH_PATH}/`, `${BATCH_PATH}?a=b`] as const),
  ...(['/api/v1/sms/%73end', '/%00', '/%zz', '/%', '/\u0000', '/\u007f', '/\u00e9', '/\\', '/a b'] as const),
  ...([
    `http://x${SEND_PATH}`,
    `HTTP://x:80${SEND_PATH}`,
    'http://[::1/x',
    'http://x:y/',
    'http://',
  ] as const),
  ...([
    'http:///x',
    'https://u:p@x/healthz',
    'ftp://x/',
    'javascript:1',
    'x:443',
    '[::1]:1',
    'x',
    '',
  ] as const),
  ...(['?', '#', '/?', '/?x=[]{}|"<>^`', '/healthz/../healthz', '/constructor', '/__proto__'] as const),
  ...([`/${'x'.repeat(2000)}`, `/${'x'.repeat(8100)}`, `/${'x'.repeat(9000)}`] as const),
] as const;

const VERSIONS = [
  ...(['HTTP/1.0', 'HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/1.2', 'HTTP/9.9', 'HTTP/1', 'HTTP/1.'] as const),
  ...([
    'HTTP/11',
    'http/1.1',
    'HTTP/1.1 ',
    'HTTP /1.1',
    'HTTPS/1.1',
    'ICE/1.0',
    'RTSP/1.0',
    '',
    'X',
  ] as const),
] as const;

const LINE_ENDS = ['\n', '\r', '\r\r\n', '\r\n\r\n', ' \r\n', '\u0000\r\n'] as const;

/** What others say first on a connection. */
export const PREFACES = [
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\u0000\u0000\u0000\u0004\u0000',
  '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003',
  'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n',
  '\r\n\r\n\u0000\r\nQUIT\n\u0021\u0011\u0000\u000c',
  'SSH-2.0-OpenSSH_9.2\r\n',
  'AMQP\u0000\u0000\u0009\u0001',
  '*1\r\n$4\r\nPING\r\n',
  'EHLO x\r\nMAIL FROM:<x>\r\n',
  '\u0000\u0000\u0000\u0000',
  'GET /\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
] as const;

/** A request line with its end. */
export function requestLine(random: Random): string {
  const gap = () => random.mostly(0.97, ' ', ['  ', '\t', '', '\u000b']);
  const method = random.mostly(0.7, 'POST', METHODS);
  const target = random.mostly(0.7, random.mostly(0.85, SEND_PATH, [BATCH_PATH]), TARGETS);
  const version = random.mostly(0.9, 'HTTP/1.1', VERSIONS);
  const before = random.mostly(0.96, '', ['\r\n', '\r\n\r\n\r\n', ' ', '\n', '\ufeff']);
  return `${before}${method}${gap()}${target}${gap()}${version}${random.mostly(0.97, '\r\n', LINE_ENDS)}`;
}

const mixedCase = (random: Random, name: string): string =>
  [...name].map((letter) => (random.chance(0.5) ? letter.toUpperCase() : letter.toLowerCase())).join('');

const ID = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';

/** Headers that say nothing of the body, most of them absent most of the time. */
export function headers(random: Random, keys: Keys): string[] {
  const lines: string[] = [];
  const add = (name: string, value: string): void => {
    const written = random.mostly(0.8, name, [
      mixedCase(random, name),
      name.toUpperCase(),
      name.toLowerCase(),
    ]);
    const line = `${written}${random.mostly(0.98, ': ', [':', ' : ', ':\t', ': \t ', ''])}${value}`;
    lines.push(line);
    if (random.chance(0.02)) lines.push(line);
  };
  const maybe = (probability: number, name: string, values: () => string): void => {
    if (random.chance(probability)) add(name, values());
  };
  maybe(0.95, 'Host', () =>
    random.mostly(0.9, 'x', ['', 'a:b:c', '[::1', 'x y', '@', 'x'.repeat(300), '\u00e9']),
  );
  maybe(0.93, 'API-Key', () =>
    random.mostly(0.85, keys.active, [
      ...([keys.inactive, 'nobody', '', ` ${keys.active}`, `${keys.active}, ${keys.active}`] as const),
      ...(['__proto__', 'constructor', '*', 'x'.repeat(2000), '\u00e9', `${keys.active}\u0000`] as const),
    ]),
  );
  maybe(0.2, 'Idempotency-Key', () => idempotencyKey(random));
  maybe(0.1, 'traceparent', () =>
    random.mostly(0.4, `00-${random.hex(32)}-${random.hex(16)}-01`, [
      ...([
        `00-${ID}-${PARENT}-01-x`,
        `ff-${ID}-${PARENT}-01`,
        `01-${ID}-${PARENT}-01-more`,
        '00',
        '',
      ] as const),
      ...([
        `00-${'0'.repeat(32)}-${PARENT}-01`,
        `00-${ID.toUpperCase()}-${PARENT}-01`,
        'x'.repeat(300),
      ] as const),
    ]),
  );
  maybe(0.05, 'tracestate', () => random.pick(['a=1', 'a=1,b=2', '', '\u0001', 'x'.repeat(600), ',,,', '=']));
  maybe(0.05, 'Connection', () =>
    random.pick(['close', 'keep-alive', 'close, keep-alive', 'upgrade', 'Content-Length', 'x', '']),
  );
  maybe(0.03, 'Expect', () => random.pick(['100-continue', 'foo', '', '100-Continue', '100-continue, foo']));
  maybe(0.02, 'Upgrade', () => random.pick(['h2c', 'websocket', 'TLS/1.0', 'x', '']));
  if (random.chance(0.08)) lines.push(...odd(random));
  for (let i = lines.length - 1; i > 0 && random.chance(0.3); i -= 1) {
    lines.push(...lines.splice(random.below(lines.length), 1));
  }
  return lines;
}

/** Keys that are used again and again, so that they meet records, twins and other bodies. */
const SHARED_KEYS = 200;

function idempotencyKey(random: Random): string {
  const key = `key-${random.below(SHARED_KEYS)}`;
  return random.mostly(0.6, key, [
    ...([`"${key}"`, `"${key}`, `${key}"`, `"${key}\\""`, `${key} `, '', '""', ' ', 'a b', '"a b"'] as const),
    ...([
      'x'.repeat(255),
      'x'.repeat(256),
      '\u00e9',
      'a,b',
      ':',
      '{}',
      '*',
      '\u007f',
      'a:b:c',
      '\\',
    ] as const),
  ]);
}

/** Header lines that few clients write. */
function odd(random: Random): string[] {
  const size = random.pick([100, 4000, 7000, 7900, 8100, 8192, 9000, 20_000]);
  return random.pick<() => string[]>([
    () => [`X-Filler: ${'x'.repeat(size)}`],
    () => Array.from({ length: random.pick([50, 200, 1000, 2100]) }, (_, n) => `X-${n}: ${n}`),
    () => ['__proto__: x', 'constructor: x', 'hasOwnProperty: x', 'toString: x'],
    () => ['no colon at all'],
    () => [': no name'],
    () => ['Na me: x'],
    () => ['X-Folded: a', ' b', '\tc'],
    () => [' starts with a space: x'],
    () => ['X-Nul: a\u0000b'],
    () => ['X-Bytes: \u00e9\u00ff\u0080'],
    () => ['X-Cr: a\rb'],
    () => ['Cookie: a=b; c', 'Range: bytes=0-', 'If-None-Match: *', 'Accept-Encoding: gzip', 'TE: trailers'],
    () => ['X-Forwarded-For: 1', 'X-HTTP-Method-Override: DELETE', 'Forwarded: for=x', 'Via: 1.1 x'],
    () => [`If-None-Match: "${random.hex(22)}"`, 'If-Modified-Since: x', 'Cache-Control: no-cache'],
    () => ['Host: y'],
    () => ['Keep-Alive: timeout=1000000'],
  ])();
}
