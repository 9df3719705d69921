/** Slots of Redis Cluster: which of the 16,384 a key belongs to. */

const SLOTS = 16_384;
/** CRC16 of the XMODEM kind, as the cluster specification has it. */
const POLYNOMIAL = 0x1021;

const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ POLYNOMIAL;
  return crc & 0xffff;
});

/** Returns the slot of a key: of the part in its first braces, if there is one. Keys are ASCII. */
export function slotOf(key: string): number {
  const [start, end] = hashedPart(key);
  let crc = 0;
  for (let index = start; index < end; index += 1) {
    const entry = TABLE[((crc >> 8) ^ key.charCodeAt(index)) & 0xff] ?? 0;
    crc = ((crc << 8) & 0xffff) ^ entry;
  }
  return crc % SLOTS;
}

function hashedPart(key: string): readonly [number, number] {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  return close > open + 1 ? [open + 1, close] : [0, key.length];
}
