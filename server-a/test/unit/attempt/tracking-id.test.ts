import { createHmac } from 'node:crypto';
import test from 'ava';
import { TrackingIds, trackingIdDraws } from '../../../src/attempt/tracking-id.js';

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const NOW = Date.UTC(2026, 10, 23, 12, 34, 56, 789);
const DAY = 86_400;
/** Lives that a configuration may set, from the shortest to the longest, in seconds. */
const TTLS = [1, 60, 7919, DAY, 31_536_000];
/** FNV-1a, 32 bits: from the table of its authors. */
const FNV_VECTORS = { a: 0xe40c292c, foobar: 0xbf9cf968 };

/** FNV-1a once more, in whole numbers of any size. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5n;
  for (const byte of Buffer.from(text, 'ascii')) hash = ((hash ^ BigInt(byte)) * 0x01000193n) % 2n ** 32n;
  return Number(hash);
}

/** The formula once more, over bytes: HMAC of client, key, TTL and epoch, with the bits of UUIDv4 set. */
function expectedId(secret: string, client: string, key: string, ttl: number, nowMs: number): string {
  const epoch = Math.floor((Math.floor(nowMs / 1000) + (fnv1a(key) % ttl)) / ttl);
  const nul = Buffer.from([0]);
  const message = [client, nul, key, nul, String(ttl), nul, String(epoch)].map((part) => Buffer.from(part));
  const bytes = createHmac('sha256', Buffer.from(secret))
    .update(Buffer.concat(message))
    .digest()
    .subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

const keys = Array.from({ length: 300 }, (_, n) => `order-${n}`);

test('tracking id: drawn -> a UUIDv4, another one each time', (t) => {
  const ids = Array.from({ length: 1000 }, trackingIdDraws());
  t.true(ids.every((id) => UUID_V4.test(id)));
  t.is(new Set(ids).size, ids.length);
});

test('tracking id: derived -> a UUIDv4, another one for each key, with every variant digit', (t) => {
  const ids = keys.map((key) => new TrackingIds('secret', DAY).derive('client', key, NOW).id);
  t.true(ids.every((id) => UUID_V4.test(id)));
  t.is(new Set(ids).size, ids.length);
  t.deepEqual([...new Set(ids.map((id) => id[19]))].sort(), ['8', '9', 'a', 'b']);
});

test('tracking id: derived -> exactly what the formula says, whatever life, secret and moment', (t) => {
  for (const ttl of TTLS) {
    for (const secret of ['', 'secret', 'geheim €']) {
      for (const key of ['a', 'foobar', 'k'.repeat(255), ...keys.slice(0, 20)]) {
        const { id } = new TrackingIds(secret, ttl).derive('client-1', key, NOW);
        t.is(id, expectedId(secret, 'client-1', key, ttl, NOW), `${ttl} ${key}`);
      }
    }
  }
});

for (const [key, hash] of Object.entries(FNV_VECTORS)) {
  test(`tracking id: epochs of the key ${key} -> begin at the FNV-1a hash of the key before a multiple of the life`, (t) => {
    for (const ttl of TTLS) {
      const { epochStartMs } = new TrackingIds('', ttl).derive('client', key, NOW);
      t.is((epochStartMs / 1000 + (hash % ttl)) % ttl, 0, `${ttl}`);
    }
  });
}

test('tracking id: within an epoch -> the same id up to its last millisecond; then another', (t) => {
  for (const ttl of TTLS) {
    const ids = new TrackingIds('secret', ttl);
    for (const key of keys.slice(0, 20)) {
      const derived = ids.derive('client', key, NOW);
      const { id, epochStartMs, epochEndMs } = derived;
      t.true(epochStartMs <= NOW && NOW < epochEndMs);
      t.is(epochEndMs - epochStartMs, ttl * 1000);
      t.deepEqual(ids.derive('client', key, epochStartMs), derived);
      t.deepEqual(ids.derive('client', key, epochEndMs - 1), derived);
      const next = ids.derive('client', key, epochEndMs);
      t.is(next.epochStartMs, epochEndMs);
      t.not(next.id, id);
      t.not(ids.derive('client', key, epochStartMs - 1).id, id);
    }
  }
});

test('tracking id: epochs of many keys -> spread over the whole life, not at midnight for all', (t) => {
  const ids = new TrackingIds('secret', DAY);
  const starts = keys.map((key) => ids.derive('client', key, NOW).epochStartMs);
  const hours = new Set(starts.map((start) => Math.floor((NOW - start) / 3_600_000)));
  t.is(hours.size, 24);
});

test('tracking id: on two replicas -> the same; with another secret, client or life -> another', (t) => {
  const derive = (secret: string, ttl: number, client: string) =>
    new TrackingIds(secret, ttl).derive(client, 'order-1', NOW).id;
  t.is(derive('secret', DAY, 'client'), derive('secret', DAY, 'client'));
  const different = [
    derive('secret', DAY, 'client'),
    derive('secret2', DAY, 'client'),
    derive('', DAY, 'client'),
    derive('secret', DAY, 'client2'),
    derive('secret', DAY + 1, 'client'),
  ];
  t.is(new Set(different).size, different.length);
});

test('tracking id: what moves from the client’s name into the key -> another id', (t) => {
  const ids = new TrackingIds('secret', DAY);
  t.not(ids.derive('ab', 'c', NOW).id, ids.derive('a', 'bc', NOW).id);
});
