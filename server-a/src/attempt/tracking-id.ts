/** Tracking ids: derived for a request with an idempotency key, drawn for one without. All are UUIDv4. */
import { hash, randomUUID } from 'node:crypto';

/** Returns a new tracking id, unlike any other. */
export function drawTrackingId(): string {
  return randomUUID();
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
    const digest = this.#hmac(`${clientId}\0${key}\0${ttl}\0${epoch}`);
    const epochStartMs = (epoch * ttl - offset) * 1000;
    return { id: uuidOf(digest), epochStartMs, epochEndMs: epochStartMs + ttl * 1000 };
  }
}

/** FNV-1a, 32 bits, of the key's characters (they are ASCII): spreads the keys' epochs, and need not be secret. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

/** The variant bits of RFC 9562: the first digit of the fourth group is 8, 9, a or b. */
const VARIANT_DIGITS = '89ab';

/** Makes a UUIDv4 of the first 128 bits of a digest (hex). */
function uuidOf(hex: string): string {
  const variant = VARIANT_DIGITS.charAt(Number.parseInt(hex.charAt(16), 16) & 3);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
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
  return (text) => {
    if (text.length > LONGEST) throw new RangeError('too long for a tracking id');
    const end = BLOCK + inner.write(text, BLOCK, 'latin1');
    outer.write(hash('sha256', inner.subarray(0, end), 'binary'), BLOCK, 'latin1');
    return hash('sha256', outer, 'hex');
  };
}
