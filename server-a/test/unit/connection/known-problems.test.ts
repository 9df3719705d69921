import test from 'ava';
import { KnownProblems } from '../../../src/connection/known-problems.js';

test('known problems: two that come by turns -> each is new once; again after they were forgotten', (t) => {
  const problems = new KnownProblems();
  const news = () =>
    ['refused', 'reset', 'refused', 'reset'].map((message) => problems.isNew(new Error(message)));
  t.deepEqual(news(), [true, true, false, false]);
  problems.forget();
  t.deepEqual(news(), [true, true, false, false]);
});

test('known problems: a message that is another one each time -> memory stays bounded, known ones are news again', (t) => {
  const problems = new KnownProblems();
  t.true(problems.isNew(new Error('first')));
  for (let i = 0; i < 1000; i += 1) t.true(problems.isNew(new Error(`attempt ${i}`)));
  t.true(problems.isNew(new Error('first')));
});
