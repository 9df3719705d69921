/** Tracking ids: derived for a request with an idempotency key, drawn for one without. All are UUIDv4. */
import { hash, randomBytes } from 'node:crypto';
import { uuidOf } from './uuid.js';

/** Bytes of a UUID, and random ones that are drawn at once. */
const [ID_BYTES, DRAWN_BYTES] = [16, 1024];

/**
 * Makes a function that returns a new tracking id, unlike any other. Node's own `randomUUID` puts each together from twenty
 * pieces of text.
 */
export function trackingIdDraws(): () => string {
  let drawn = Buffer.alloc(0);
  let used = 0;
  return () => {
    if (used === drawn.length) {
      drawn = randomBytes(DRAWN_BYTES);
      used = 0;
    }
    used += ID_BYTES;
    return uuidOf(drawn.toString('hex', used - ID_BYTES, used));
  };
}

/** A derived tracking id, and the epoch for which the id is right: milliseconds since 1970 by Redis's clock. */
export interface DerivedId {
  readonly id: string;
  readonly epochStartMs: number;
  readonly epochEndMs: number;
}

/**
 * Derives tracking ids from idempotency keys, so that a Redis that forgot a key costs no second id: whoever processes the
 * key again arrives at the same one.
 *
 * A key has a new id in each epoch, so that a key used again after its life names another message. An epoch is as long as
 * a record lives, and begins at another moment for every key: no boundary falls on all keys at once.
 */
export class TrackingIds {
  readonly #hmac: (text: string) => string;
  readonly #ttlSeconds: number;
  /** What ends the text of each key, for an epoch of even number and one of odd: at any time, all keys are in one of two. */
  readonly #endings = [
    { epoch: -1, text: '' },
    { epoch: -1, text: '' },
  ];

  /**
   * @param secret TRACKING_ID_SECRET, the same on all replicas
   * @param ttlSeconds IDEMPOTENCY_TTL_SECONDS
   */
  constructor(secret: string, ttlSeconds: number) {
    this.#hmac = hmacSha256(Buffer.from(secret, 'utf8'));
    this.#ttlSeconds = ttlSeconds;
  }

  /** Returns the id of a client's key at a time (milliseconds since 1970, by Redis's clock). */
  derive(clientId: string, key: string, nowMs: number): DerivedId {
    const ttl = this.#ttlSeconds;
    const offset = hashOf(key) % ttl;
    const epoch = Math.floor((Math.floor(nowMs / 1000) + offset) / ttl);
    const digest = this.#hmac(`${clientId}\0${key}${this.#endingOf(epoch)}`);
    const epochStartMs = (epoch * ttl - offset) * 1000;
    return { id: uuidOf(digest), epochStartMs, epochEndMs: epochStartMs + ttl * 1000 };
  }

  #endingOf(epoch: number): string {
    const known = this.#endings[epoch % 2];
    if (known?.epoch === epoch) return known.text;
    const text = `\0${this.#ttlSeconds}\0${epoch}`;
    this.#endings[epoch % 2] = { epoch, text };
    return text;
  }
}

/** FNV-1a, 32 bits, of the key's characters (they are ASCII): spreads the keys' epochs, and need not be secret. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

/** Bytes of a block of SHA-256, and of a digest. */
const [BLOCK, DIGEST] = [64, 32];
/** Bytes that a text may have: the longest client, the longest key, and two numbers have some 600. */
const LONGEST = 4096;

/**
 * Returns a function that makes the HMAC-SHA-256 (hex) of a text in Latin-1, as RFC 2104 has it: a hash of a hash, each
 * begun with the key. Node's own sets up a new one for each text, which takes twice the time of both hashes.
 */
export function hmacSha256(secret: Buffer): (text: string) => string {
  const key = secret.length > BLOCK ? hash('sha256', secret, 'buffer') : secret;
  const padded = (byte: number): Uint8Array =>
    Buffer.alloc(BLOCK, byte).map((pad, at) => pad ^ (key[at] ?? 0));
  const inner = Buffer.concat([padded(0x36), Buffer.alloc(LONGEST)]);
  const outer = Buffer.concat([padded(0x5c), Buffer.alloc(DIGEST)]);
  /** The beginnings of the inner one, by their length: made anew, each would cost more memory than an id. */
  const beginnings: Buffer[] = [];
  return (text) => {
    if (text.length > LONGEST) throw new RangeError('too long for a tracking id');
    const end = BLOCK + inner.write(text, BLOCK, 'latin1');
    beginnings[end] ??= inner.subarray(0, end);
    outer.write(hash('sha256', beginnings[end], 'binary'), BLOCK, 'latin1');
    return hash('sha256', outer, 'hex');
  };
}
