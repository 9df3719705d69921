/** How a body goes over the wire: content codings, lengths, chunks; and bytes changed at random. */
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import type { Random } from './random.js';

/** Header lines that go with a body, and the body as it is written. */
export interface Framed {
  readonly headers: readonly string[];
  readonly bytes: Buffer;
}

/** Fast: the fuzzer compresses more than it sends of anything else. */
const brotli = (bytes: Buffer): Buffer =>
  brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 1, [constants.BROTLI_PARAM_LGWIN]: 16 },
  });

const CODERS = [
  ['gzip', (bytes: Buffer) => gzipSync(bytes, { level: 1 })],
  ['deflate', (bytes: Buffer) => deflateSync(bytes, { level: 1 })],
  ['br', brotli],
] as const;

/** Bodies that become large, made once. */
const BOMBS = CODERS.flatMap(([coding, encode]) =>
  [33_000, 40_000, 1_000_000].map((size) => [coding, encode(Buffer.alloc(size, ' '))] as const),
);

/** Puts a body into a content coding, mostly none. */
export function encode(random: Random, body: Buffer): Framed {
  if (random.chance(0.85)) return { headers: [], bytes: body };
  const [coding, coder] = random.pick(CODERS);
  const name = random.mostly(0.8, coding, [
    ...([
      'identity',
      'GZIP',
      'x-gzip',
      'zstd',
      '',
      'gzip, br',
      'br',
      'deflate',
      '__proto__',
      'gzip;q=1',
    ] as const),
  ]);
  const [bombCoding, bomb] = BOMBS[random.below(BOMBS.length)] ?? [coding, body];
  const [written, bytes] = random.pick<() => readonly [string, Buffer]>([
    () => [name, coder(body)],
    () => [name, coder(body)],
    () => [name, coder(body).subarray(0, random.below(60))],
    () => [name, changed(random, coder(body))],
    () => [name, Buffer.concat([coder(body), random.bytes(random.below(20))])],
    () => [name, coder(coder(body))],
    () => [name, deflateRawSync(body)],
    () => [name, body],
    () => [bombCoding, bomb],
    () => [bombCoding, bomb.subarray(0, bomb.length - 1 - random.below(10))],
  ])();
  return { headers: [`Content-Encoding: ${written}`], bytes };
}

/** Frames a body, mostly rightly. */
export function frame(random: Random, body: Buffer): Framed {
  if (random.chance(0.75)) {
    const length = random.mostly(0.94, String(body.length), [
      ...([
        String(body.length + 1),
        String(Math.max(0, body.length - 1)),
        '0',
        '-1',
        '+5',
        '0x10',
        '',
      ] as const),
      ...(['5, 5', '5,6', '1e2', ' 5 ', '9'.repeat(20), '4294967296', '18446744073709551616', 'x'] as const),
      ...([
        `0${body.length}`,
        `${body.length}\r\nContent-Length: ${body.length}`,
        '5\r\nContent-Length: 6',
      ] as const),
    ]);
    return { headers: [`Content-Length: ${length}`], bytes: body };
  }
  const coding = random.mostly(0.9, 'chunked', [
    ...([
      'Chunked',
      'chunked ',
      'gzip, chunked',
      'chunked, chunked',
      'chunked, gzip',
      'identity',
      '',
    ] as const),
    ...(['xchunked', 'chunked\r\nTransfer-Encoding: chunked', '\tchunked', 'chunked;a=b'] as const),
  ]);
  const headers = [`Transfer-Encoding: ${coding}`];
  if (random.chance(0.04)) headers.push(`Content-Length: ${body.length}`);
  if (random.chance(0.04)) headers.push('Trailer: X-Trailer');
  return { headers, bytes: chunks(random, body) };
}

function chunks(random: Random, body: Buffer): Buffer {
  const parts: Buffer[] = [];
  const text = (value: string): number => parts.push(Buffer.from(value, 'latin1'));
  for (let at = 0; at < body.length; ) {
    const size = Math.min(body.length - at, random.pick([1, 2, 7, 100, 4096, 65_536]));
    // Many tiny chunks cost the fuzzer more than they find.
    const taken = parts.length > 200 ? body.length - at : size;
    const written = random.mostly(0.995, taken.toString(16), [
      ...(['zz', '-1', 'FFFFFFFFFFFFFFFF', '1'.repeat(40), '', '0x5', ' 5', '5 ', '+5'] as const),
      ...([(taken + 1).toString(16), '0', `${taken.toString(16)}\r`] as const),
    ]);
    const extension = random.mostly(0.97, '', [
      ...([
        ';a',
        ';a=b',
        ';a="b"',
        ';',
        ';;',
        `;${'x'.repeat(20_000)}`,
        ';\u0000',
        '\t;a',
        ';a="\r\n"',
      ] as const),
    ]);
    text(`${written}${extension}${random.mostly(0.995, '\r\n', ['\n', '\r', ''])}`);
    parts.push(body.subarray(at, at + taken));
    text(random.mostly(0.995, '\r\n', ['\n', '', 'x\r\n']));
    at += taken;
  }
  text(random.mostly(0.97, '0\r\n', ['', '00\r\n', '0', '0\n', '0;x\r\n', '-0\r\n']));
  text(
    random.mostly(0.95, '\r\n', [
      ...([
        '',
        'X-Trailer: 1\r\n\r\n',
        'Content-Length: 5\r\n\r\n',
        'API-Key: x\r\n\r\n',
        'x\r\n\r\n',
      ] as const),
      ...([`X-T: ${'x'.repeat(20_000)}\r\n\r\n`, '\n'] as const),
    ]),
  );
  return Buffer.concat(parts);
}

/** Changes some bytes: flips, cuts, doubles, inserts, line ends. */
export function changed(random: Random, bytes: Buffer): Buffer {
  let now = bytes;
  for (let times = random.pick([1, 1, 1, 2, 3, 8]); times > 0; times -= 1) {
    const at = random.below(now.length + 1);
    const to = Math.min(now.length, at + random.pick([1, 1, 2, 4, 16, 200]));
    const [before, part, after] = [now.subarray(0, at), now.subarray(at, to), now.subarray(to)];
    now = random.pick<() => Buffer>([
      () => Buffer.concat([before, part.map((byte) => byte ^ (1 << random.below(8))), after]),
      () => Buffer.concat([before, after]),
      () => Buffer.concat([before, part, part, after]),
      () => Buffer.concat([before, random.bytes(random.pick([1, 2, 8])), part, after]),
      () =>
        Buffer.concat([
          before,
          Buffer.from(random.pick(['\r\n', '\r\n\r\n', '\n', '\0', ' ', ':', '0'])),
          part,
          after,
        ]),
      () => Buffer.concat([before, random.bytes(part.length), after]),
      () => before,
    ])();
  }
  return now;
}
