/** What one connection does, from its seed and number alone. */

import { BATCH_PATH } from '../support/paths.js';
import { changed, encode, frame } from './grammar-framing.js';
import { headers, type Keys, PREFACES, requestLine } from './grammar-head.js';
import { anyBatch, anyBody } from './grammar-json.js';
import { type Input, knownInput, probe } from './known.js';
import { Random } from './random.js';

/**
 * How a connection ends: `probe` = an honest request behind the inputs, then this side is ended; `end` = this side is ended
 * at once; `reset` = reset at once; `stall` = left open, for the gateway to end.
 */
export type Ending = 'probe' | 'end' | 'reset' | 'stall';

/** A connection's inputs and how they are written. */
export interface Script {
  readonly number: number;
  readonly inputs: readonly Input[];
  /** The inputs as they are written, piece by piece. */
  readonly pieces: readonly Buffer[];
  /** Milliseconds between two pieces; 0 = the next turn of the event loop. */
  readonly pauseMs: number;
  readonly ending: Ending;
  /** Field that the answer to the probe names. */
  readonly probeId: string;
  readonly probe: Buffer;
}

/** Of so many connections, some stall, early: each takes as long as thousands of others. */
const STALLS_EVERY = 16_000;
const STALLS = 4;
/** Behind whatever came before, half a request. */
const HALF = Buffer.from('\r\n\r\nPOST /x HTTP/1.1\r\nHost: ');

/** Makes the script of a connection. @param resets whether connections may be reset */
export function scriptOf(seed: number, number: number, keys: Keys, resets: boolean): Script {
  const random = new Random(seed, number);
  const count = random.pick([1, 2, 3, 4, 4, 6, 8]);
  // Known ones first: behind anything else, nobody knows where a request begins.
  const known = random.pick([0, 0, 1, 1, 2, count]);
  const inputs = Array.from({ length: count }, (_, n) =>
    n < known ? knownInput(random, keys, `${seed}-${number}-${n}`) : { bytes: wild(random, keys) },
  );
  const ending = random.pick<Ending>(
    number % STALLS_EVERY < STALLS ? ['stall'] : resets ? ['reset'] : ['probe', 'end'],
  );
  const probeId = `probe-${number}`;
  return {
    number,
    inputs,
    pieces: [
      ...pieces(random, Buffer.concat(inputs.map(({ bytes }) => bytes))),
      ...(ending === 'stall' ? [HALF] : []),
    ],
    pauseMs: random.pick([0, 0, 0, 0, 1, 5]),
    ending,
    probeId,
    probe: probe(keys, probeId),
  };
}

/** Anything: a request by the grammar, one with changed bytes, or something else altogether. */
function wild(random: Random, keys: Keys): Buffer {
  if (random.chance(0.03)) return Buffer.from(random.pick(PREFACES), 'latin1');
  if (random.chance(0.02)) return random.bytes(random.below(300));
  const request = byGrammar(random, keys);
  if (random.chance(0.06)) return request.subarray(0, random.below(request.length));
  return random.chance(0.25) ? changed(random, request) : request;
}

function byGrammar(random: Random, keys: Keys): Buffer {
  const line = requestLine(random);
  const withBody = !/^(GET|HEAD)/.test(line) || random.chance(0.1);
  const body = line.includes(BATCH_PATH) ? anyBatch : anyBody;
  const encoded = encode(random, withBody ? body(random) : Buffer.alloc(0));
  const framed = withBody ? frame(random, encoded.bytes) : { headers: [], bytes: Buffer.alloc(0) };
  const type = random.mostly(0.92, 'application/json', [
    ...([
      'text/plain',
      'application/json; charset=utf-16',
      'APPLICATION/JSON',
      'application/json;',
      '',
    ] as const),
    ...([
      'application/json, text/plain',
      'application/jsonx',
      'multipart/form-data',
      '/',
      'application/json;a',
    ] as const),
    ...(['application/x-www-form-urlencoded', 'text/xml', '__proto__'] as const),
  ]);
  const lines = [...headers(random, keys), `Content-Type: ${type}`, ...encoded.headers, ...framed.headers];
  const end = random.mostly(0.99, '\r\n', ['\n', '\r']);
  return Buffer.concat([Buffer.from(`${line}${lines.join(end)}${end}\r\n`, 'latin1'), framed.bytes]);
}

/** Cuts bytes into what is written at a time: mostly all at once. */
function pieces(random: Random, bytes: Buffer): Buffer[] {
  const cuts = random.pick([0, 0, 0, 1, 2, 5]);
  const at = Array.from({ length: cuts }, () => random.below(bytes.length + 1)).sort((a, b) => a - b);
  return [0, ...at].map((from, n) => bytes.subarray(from, at[n] ?? bytes.length));
}
