import test from 'ava';
import { inPlainWords } from '../../../src/redis/plain-words.js';

test("plain words: ioredis's report of a connection that ended -> no word of its settings", (t) => {
  const said = inPlainWords(new Error("Stream isn't writeable and enableOfflineQueue options is false"));
  t.regex(said.message, /^the connection ended before Redis had answered/);
});

test('plain words: anything else -> as it is', (t) => {
  for (const error of [new Error('connect ECONNREFUSED 127.0.0.1:1'), 'no error', undefined]) {
    t.is(inPlainWords(error), error);
  }
});
