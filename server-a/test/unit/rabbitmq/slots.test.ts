import test from 'ava';
import { Slots } from '../../../src/rabbitmq/slots.js';

/** Lets a client take slots until it may not. Returns how many it took. */
function fill(slots: Slots, client: string): number {
  let took = 0;
  for (; slots.whyNot(client) === undefined; took += 1) slots.take(client);
  return took;
}

test('slots: one client alone -> four fifths; the next ones find room, one after the other', (t) => {
  const slots = new Slots(1000);
  t.is(fill(slots, 'a'), 800);
  t.is(slots.whyNot('a'), 'over_share');
  t.is(fill(slots, 'b'), 160);
  t.is(fill(slots, 'c'), 32);
  t.is(slots.whyNot('d'), undefined);
});

test('slots: a client that holds too many gives them back -> both come to the same share', (t) => {
  const slots = new Slots(900);
  fill(slots, 'a');
  const held = { a: slots.taken, b: 0 };
  // Answers come for both; each takes again whatever it may.
  for (let n = 0; n < 5000; n += 1) {
    for (const client of ['a', 'b'] as const) {
      if (held[client] > 0) {
        slots.giveBack(client);
        held[client] -= 1;
      }
    }
    for (const client of ['b', 'a'] as const) held[client] += fill(slots, client);
  }
  t.is(held.a + held.b, slots.taken);
  t.true(Math.abs(held.a - held.b) <= 8, `${held.a} and ${held.b}`);
  t.true(slots.taken < 900);
});

test('slots: of every number of slots -> a newcomer finds one while a single client holds all that it may', (t) => {
  for (let limit = 2; limit < 200; limit += 1) {
    const slots = new Slots(limit);
    fill(slots, 'a');
    t.is(slots.whyNot('b'), limit < 5 ? 'overloaded' : undefined, `${limit}`);
  }
});

test('slots: the gateway itself -> takes the last one; then nobody', (t) => {
  const slots = new Slots(5);
  fill(slots, 'a');
  t.is(slots.whyNot(undefined), undefined);
  slots.take(undefined);
  t.is(slots.whyNot(undefined), 'overloaded');
  t.is(slots.whyNot('b'), 'overloaded');
  slots.giveBack(undefined);
  slots.giveBack('a');
  t.is(slots.taken, 3);
});
