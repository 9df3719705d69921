/** Bodies: JSON of a send request, near it, and far from it. */
import type { Random } from './random.js';

type Make = (random: Random) => Buffer;

const TO = '+989121234567';
const utf8 = (text: string): Buffer => Buffer.from(text, 'utf8');
const json = (value: unknown): Buffer => utf8(JSON.stringify(value));

/** A valid body with this text. */
export function validBody(text: string): Buffer {
  return json({ to: TO, text });
}

/** A batch of one message with this text and key, and of one that is faulty. */
export function halfValidBatch(text: string, key: string): Buffer {
  const faulty = { idempotency_key: `${key}-faulty`, to: TO };
  return json({ messages: [{ idempotency_key: key, to: TO, text }, faulty] });
}

/** JSON texts that stand for one value; some are no JSON. */
const VALUES = [
  ...['null', 'true', 'false', '0', '-0', '-1', '1e400', '-1e400', '1e-400', '0.1', '1.0', '60.0', '01'],
  ...['0x10', 'NaN', 'Infinity', '1e', '.5', '+1', '9007199254740993', '9'.repeat(400), '"60"', '""', '" "'],
  ...['"\\ud83d"', '"\\ude00\\ud83d"', '"\\ud83d\\ude00"', '"\\u0000"', '"\\x"', '"\\u12"', '"\t"', "'x'"],
  ...['[]', '{}', '[[]]', '{"a":{}}', '[null]', '"+989121234567"', '"__proto__"', '["Provider"]', '[5]'],
  ...['undefined', '', '"', '[', '{', ']', '}', ',', ':', '/**/1', '"\u2028"', '"\ufeff"', '"😀"'],
] as const;

const NAMES = [
  ...(['to', 'text', 'ttl_seconds', 'providers', 'TO', 'text ', 'Text', 'ttl', 'a', '', '0'] as const),
  ...(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', 'toJSON'] as const),
  ...([
    'then',
    'length',
    'text[0]',
    'a.b',
    '\\u0074ext',
    '\\ud83d',
    '😀',
    '\\u0000',
    'x'.repeat(300),
  ] as const),
] as const;

function nested(random: Random): string {
  const depth = random.pick([1, 2, 10, 100, 1000, 5000, 16_000]);
  const [open, close] = random.pick([
    ['[', ']'],
    ['{"a":', '}'],
    ['{"__proto__":', '}'],
  ]);
  const inner = random.mostly(0.5, '1', ['', '[]', '{}', '"x"']);
  return open.repeat(depth) + inner + (random.chance(0.9) ? close.repeat(depth) : '');
}

function fields(random: Random): string {
  const count = random.pick([0, 1, 2, 2, 3, 4, 8, 40]);
  const pairs = Array.from({ length: count }, () => {
    const value = random.chance(0.05) ? nested(random) : random.pick(VALUES);
    return `"${random.pick(NAMES)}":${value}`;
  });
  return `{${pairs.join(random.mostly(0.98, ',', ['', ',,', ';']))}}`;
}

/** A valid body in which a few things are otherwise. */
function nearlyValid(random: Random): string {
  const pairs = [`"to":"${TO}"`, `"text":"fuzzed ${random.hex(8)}"`];
  const extra = () => `"${random.pick(NAMES)}":${random.pick(VALUES)}`;
  if (random.chance(0.4)) pairs.push(extra());
  if (random.chance(0.2)) pairs.unshift(extra());
  if (random.chance(0.2)) pairs.push(pairs[random.below(pairs.length)] ?? '');
  if (random.chance(0.2)) pairs.splice(random.below(pairs.length), 1);
  return `${random.pick(['', ' ', '\n', '\t\r\n '])}{${pairs.join(',')}}${random.mostly(0.9, '', [' ', '\n', 'x', '{}', '\u0000'])}`;
}

function long(random: Random): string {
  const length = random.pick([990, 1000, 1001, 2000, 2001, 16_000, 32_700, 32_768, 33_000]);
  const unit = random.pick(['x', '😀', '\\u0041', '\\ud83d\\ude00', 'é', '\\"', '\u0001']);
  return `{"to":"${TO}","text":"${unit.repeat(Math.ceil(length / unit.length))}"}`;
}

const many = (random: Random): string =>
  `{${Array.from({ length: random.pick([21, 100, 3000]) }, (_, n) => `"f${n}":1`).join(',')}}`;

/** Text as other encodings than plain UTF-8 have it. */
function encoded(random: Random): Buffer {
  const text = random.chance(0.5) ? nearlyValid(random) : fields(random);
  return random.pick<() => Buffer>([
    () => utf8(`\ufeff${text}`),
    () => Buffer.from(text, 'utf16le'),
    () => Buffer.from(`\ufeff${text}`, 'utf16le'),
    () => Buffer.from(`\ufeff${text}`, 'utf16le').swap16(),
    () => Buffer.from(text, 'latin1'),
    () => Buffer.concat([utf8(`{"to":"${TO}","text":"`), broken(random), utf8('"}')]),
    () => utf8(encodeURIComponent(text)),
    () => Buffer.from(text, 'base64'),
  ])();
}

/** Bytes that are no UTF-8: alone, too long, cut, a surrogate, past the last code point. */
const broken = (random: Random): Buffer =>
  Buffer.from(
    random.pick([
      [0x80],
      [0xff],
      [0xc0, 0xaf],
      [0xe0, 0x80, 0xaf],
      [0xf0, 0x9f, 0x98],
      [0xed, 0xa0, 0xbd],
      [0xf4, 0x90, 0x80, 0x80],
      [0xfe, 0xfe],
    ]),
  );

const KINDS: readonly Make[] = [
  (random) => utf8(nearlyValid(random)),
  (random) => utf8(nearlyValid(random)),
  (random) => utf8(fields(random)),
  (random) => utf8(nested(random)),
  (random) => utf8(long(random)),
  (random) => utf8(many(random)),
  (random) => utf8(random.pick(VALUES)),
  (random) => utf8(random.pick(['', ' ', '\n', 'null', '[]', 'to=x&text=y', '<a/>', '\u0000'])),
  (random) =>
    json({ to: TO, text: 'x', providers: Array.from({ length: random.below(40) }, () => random.hex(4)) }),
  (random) => json({ to: TO, text: 'x', providers: ['x'.repeat(random.below(20_000))] }),
  encoded,
  (random) => random.bytes(random.below(200)),
];

/** Any body. */
export function anyBody(random: Random): Buffer {
  return random.pick(KINDS)(random);
}

/** A message of a batch: with a key of its own, mostly, and otherwise as bodies are. */
function item(random: Random): string {
  const key = random.mostly(0.8, `"${random.hex(6)}"`, [...VALUES, '"k"', `"${'x'.repeat(300)}"`]);
  const body = random.pick([nearlyValid, nearlyValid, fields, long, many, nested])(random).trim();
  return random.chance(0.95) ? body.replace('{', `{"idempotency_key":${key},`) : random.pick(VALUES);
}

/** Any body of a batch. */
export function anyBatch(random: Random): Buffer {
  if (random.chance(0.1)) return anyBody(random);
  const count = random.pick([0, 1, 1, 2, 3, 5, 20, 100, 101]);
  const items = Array.from({ length: count }, () => item(random));
  const messages = random.mostly(0.95, `[${items.join(',')}]`, VALUES);
  const extra = random.mostly(0.9, '', [`,"${random.pick(NAMES)}":${random.pick(VALUES)}`, ',"messages":[]']);
  return utf8(`{"messages":${messages}${extra}}`);
}
