import test from 'ava';
import { madeOnce } from '../../src/made-once.js';

test('made once: asked again of the same object -> the same; of another one that is alike -> its own', (t) => {
  let made = 0;
  const numberOf = madeOnce((_object: object) => {
    made += 1;
    return { made };
  });
  const [one, other] = [{ name: 'a' }, { name: 'a' }];
  const first = numberOf(one);
  t.is(numberOf(one), first);
  t.deepEqual(numberOf(other), { made: 2 });
  t.is(made, 2);
});

test('made once: two makers of one object -> each what it makes', (t) => {
  const [lengthOf, nameOf] = [
    madeOnce(({ name }: { name: string }) => name.length),
    madeOnce(({ name }: { name: string }) => name),
  ];
  const object = { name: 'abc' };
  t.deepEqual([lengthOf(object), nameOf(object), lengthOf(object)], [3, 'abc', 3]);
});
