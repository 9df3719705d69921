/** UUIDs of version 4, made of hex digits that somebody else has drawn or derived. */

/** What each is written into: made of slices of text, a UUID would take eight times the memory. */
const text = Buffer.from('00000000-0000-4000-8000-000000000000');
/** Where the 32 digits go. */
const PLACES = [...text.keys()].filter((at) => text[at] !== '-'.charCodeAt(0));
/** Which digits are those of the version and of the variant. */
const [VERSION, VARIANT] = [12, 16];
/** By the last two bits of the digit in whose place it comes (RFC 9562). */
const VARIANT_DIGITS = '89ab';

/** Makes a UUIDv4 of the first 128 bits of something (hex, 32 digits at the least). */
export function uuidOf(hex: string): string {
  for (let digit = 0; digit < PLACES.length; digit += 1) {
    text[PLACES[digit] ?? 0] = hex.charCodeAt(digit);
  }
  text[PLACES[VERSION] ?? 0] = '4'.charCodeAt(0);
  text[PLACES[VARIANT] ?? 0] = VARIANT_DIGITS.charCodeAt(Number.parseInt(hex.charAt(VARIANT), 16) & 3);
  return text.toString('latin1');
}
