/** Where every choice of a history comes from: one seed, and streams of numbers that have names. */

/** Returns a well mixed 32-bit number for the n-th place of a stream (splitmix). */
export function mix(seed: number, n: number): number {
  let z = (seed + Math.imul(n, 0x9e3779b9)) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
}

/** Returns a 32-bit number for a text (FNV-1a). */
export function hashText(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return mix(value, 1);
}

/**
 * A stream of choices. The n-th choice depends on the seed, the stream's name and n alone: what happens elsewhere in a
 * history (or no longer happens, when a history is shrunk) does not move it.
 */
export class Choices {
  readonly #seed: number;
  #taken = 0;

  constructor(seed: number, name = '') {
    this.#seed = mix(seed, hashText(name));
  }

  /** Returns a number from 0 (included) to 1 (excluded). */
  next(): number {
    this.#taken += 1;
    return mix(this.#seed, this.#taken) / 0x1_0000_0000;
  }

  /** Returns true with a probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** Returns a whole number, both ends included. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** Returns a number between two, more often a small one. */
  skewed(min: number, max: number): number {
    return min + this.next() ** 3 * (max - min);
  }

  /** Returns one of a list. @throws Error when the list is empty */
  pick<T>(list: readonly T[]): T {
    const picked = list[Math.floor(this.next() * list.length)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  }

  /** Returns random bytes. */
  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.integer(0, 255)));
  }
}
