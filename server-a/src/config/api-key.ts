/** API keys as they stand in CLIENT_CONFIG, and new ones. */
import { hash, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

const BASE_62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** Begins each key that is made here: secret scanners find it by that, and people know what they see. */
export const NEW_KEY_PREFIX = 'smsgw_';
/** Characters drawn at random: 190 bits. */
const RANDOM_CHARACTERS = 32;
/** Characters of the checksum: 62 ^ 6 is more than 2 ^ 32. */
const CHECKSUM_CHARACTERS = 6;
const NEW_KEY = new RegExp(
  `^${NEW_KEY_PREFIX}[0-9A-Za-z]{${RANDOM_CHARACTERS}}[0-9A-Za-z]{${CHECKSUM_CHARACTERS}}$`,
);

/** SHA-256 of an API key, 64 lower-case hex digits: the name under which a key is kept. */
export function hashApiKey(key: string): string {
  return hash('sha256', key);
}

/** Draws a new API key: prefix, 32 random letters and digits, and the checksum of both. */
export function newApiKey(): string {
  let key = NEW_KEY_PREFIX;
  for (let n = 0; n < RANDOM_CHARACTERS; n += 1) key += BASE_62.charAt(randomInt(BASE_62.length));
  return key + checksumOf(key);
}

/** True for what begins as a key that was made here and is none: a character is missing, added or wrong. */
export function isMistyped(key: string): boolean {
  if (!key.startsWith(NEW_KEY_PREFIX)) return false;
  const body = key.slice(0, -CHECKSUM_CHARACTERS);
  return !NEW_KEY.test(key) || key !== body + checksumOf(body);
}

/** CRC-32, in base 62. */
function checksumOf(text: string): string {
  let rest = crc32(text);
  let digits = '';
  for (let n = 0; n < CHECKSUM_CHARACTERS; n += 1) {
    digits = BASE_62.charAt(rest % BASE_62.length) + digits;
    rest = Math.floor(rest / BASE_62.length);
  }
  return digits;
}
