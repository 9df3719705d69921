/** The page of metrics as bytes: what is read back is what was written, whoever reads how slowly. */
import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { countReader, type Page, Pages } from '../../../src/operations/page-bytes.js';
import { waitFor } from '../../support/wait-for.js';

const texts = (...pieces: readonly string[]): AsyncIterable<string> => Readable.from(pieces);
const bytesOf = (page: Page): Buffer => Buffer.concat(page.pieces);
const buffersOf = (page: Page): ArrayBufferLike[] => page.pieces.map(({ buffer }) => buffer);
const textOf = (page: Page): string => bytesOf(page).toString();

/** Of different sizes, the largest neither first nor last; of one byte a character and of more. */
const PIECES = [
  'a'.repeat(5000),
  'ünï 😀\n'.repeat(20_000),
  '',
  Array.from({ length: 5000 }, (_, n) => `series{client="${n}"} ${n * n}\n`).join(''),
  'b',
];

test('page: the text cannot be made -> said, and not half a page', async (t) => {
  async function* broken(): AsyncGenerator<string> {
    yield 'a'.repeat(100_000);
    throw new Error('no more');
  }
  await t.throwsAsync(new Pages().make(broken()), { message: 'no more' });
});

test('pages: one after the other, each of another size -> read back as they were', async (t) => {
  const pages = new Pages();
  for (const pieces of [PIECES, PIECES.toReversed(), [], ['one'], PIECES]) {
    t.is(textOf(await pages.make(texts(...pieces))), pieces.join(''));
  }
});

test('pages: a text longer than a piece -> the next page has room for it, some digits longer', async (t) => {
  const pages = new Pages();
  const first = buffersOf(await pages.make(texts('a'.repeat(100_000))));
  const second = buffersOf(await pages.make(texts('a'.repeat(100_010))));
  t.true(second[0] === first[0]);
});

test('pages: many small texts -> sent in few pieces, none larger than it need be', async (t) => {
  const page = await new Pages().make(texts(...Array<string>(100).fill('x'.repeat(10_000))));
  t.deepEqual(
    page.pieces.map(({ length }) => length),
    [...Array<number>(16).fill(60_000), 40_000],
  );
});

test('pages: nobody is sent the last one -> the next one lies in its buffers, a few bytes longer', async (t) => {
  const pages = new Pages();
  const first = buffersOf(await pages.make(texts('a'.repeat(50_000), 'b'.repeat(50_000))));
  const second = buffersOf(await pages.make(texts('a'.repeat(50_010), 'b'.repeat(50_010))));
  t.is(second.length, 2);
  t.true(second.every((buffer, n) => buffer === first[n]));
});

test('pages: some are sent still -> not touched; none of them any more -> the buffers of one are kept', async (t) => {
  const pages = new Pages();
  const sent: Page[] = [];
  for (let n = 0; n < 5; n += 1) {
    const page = await pages.make(texts(String(n).repeat(10_000)));
    page.readers += 1;
    sent.push(page);
  }
  sent.forEach((page, n) => {
    t.is(textOf(page), String(n).repeat(10_000));
  });
  for (const page of sent) page.readers -= 1;
  const known = new Set(sent.flatMap(buffersOf));
  const next = await pages.make(texts('x'.repeat(10_000)));
  t.deepEqual(
    buffersOf(next).map((buffer) => known.has(buffer)),
    [true],
  );
  next.readers += 1;
  const another = await pages.make(texts('y'.repeat(10_000)));
  t.deepEqual(
    buffersOf(another).map((buffer) => known.has(buffer)),
    [false],
  );
});

/** An answer of which nothing is known but its end. */
class Answer extends EventEmitter {
  destroyed = false;

  destroy(): this {
    this.destroyed = true;
    return this;
  }
}

test('readers: an answer is closed -> one reader less, and not again when its time is up', async (t) => {
  const page: Page = { pieces: [], readers: 0 };
  const [one, other] = [new Answer(), new Answer()];
  countReader(page, one, 50);
  countReader(page, other, 60_000);
  t.is(page.readers, 2);
  one.emit('close');
  t.is(page.readers, 1);
  await delay(100);
  t.is(page.readers, 1);
  t.false(one.destroyed);
  other.emit('close');
  t.is(page.readers, 0);
});

test('readers: an answer whose close is never told -> broken off, and one reader less, when its time is up', async (t) => {
  const page: Page = { pieces: [], readers: 0 };
  const answer = new Answer();
  countReader(page, answer, 50);
  t.is(page.readers, 1);
  await waitFor('the end of its time', () => page.readers === 0);
  t.true(answer.destroyed);
  answer.emit('close');
  t.is(page.readers, 0);
});
