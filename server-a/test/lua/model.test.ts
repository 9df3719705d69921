/**
 * The scripts against a model: random interleavings of claims, stores, releases, holds, ends of leases, units taken and
 * given back, by several owners; after every step the script's answer and the record must be the model's. The seed is
 * printed on failure; MODEL_SEED repeats a run.
 */
import { randomInt } from 'node:crypto';
import test from 'ava';
import { recentUnitsKey } from '../../src/redis/keys.js';
import { FINGERPRINT, newId, OTHER_FINGERPRINT, ScriptBench } from '../support/redis.js';

const STEPS = 6000;
const OWNERS = ['a', 'b', 'c', 'd'];
const KEYS = 5;
const LIMIT = 7;
/** Characters of dead owners that a record keeps. */
const DEAD_KEPT = 120;
/** Tokens that the counter remembers. */
const REMEMBERED = 5;

const bench = new ScriptBench();
test.after.always(() => bench.close());

/** What the model knows of one key. */
interface Modelled {
  state: 'none' | 'claimed' | 'free' | 'done';
  id: string;
  fingerprint: string;
  paid: 0 | 1;
  owner: string;
  /** The owner, and the dead ones before it. */
  owners: string;
  /** Of a free key: the dead ones before its last owner. */
  dead: string;
  /** Steps end leases by the model's own will: a lease is either a minute long or over. */
  leaseOver: boolean;
  status: number;
  body: string;
}

function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test(`scripts: ${STEPS} random steps of ${OWNERS.length} owners -> as the model says`, async (t) => {
  t.timeout(60_000);
  const seed = Number(process.env['MODEL_SEED'] ?? randomInt(2 ** 31));
  t.log(`seed ${seed}`);
  const next = generator(seed);
  const pick = <T>(list: readonly [T, ...T[]]): T => list[next(list.length)] ?? list[0];
  const counter = bench.key();
  const recent = recentUnitsKey(counter);
  const tokens = ['t0', 't1', 't2', 't3', 't4', 't5', 't6', 't7', 't8', 't9'] as const;
  let used = 0;
  /** Tokens that have a unit, the latest first. */
  let remembered: string[] = [];
  const forget = (token: string): boolean => {
    const at = remembered.indexOf(token);
    if (at >= 0) remembered.splice(at, 1);
    return at >= 0;
  };
  const model = new Map<string, Modelled>();
  const fresh = (): Modelled => ({
    state: 'none',
    id: '',
    fingerprint: '',
    paid: 0,
    owner: '',
    owners: '',
    dead: '',
    leaseOver: false,
    status: 0,
    body: '',
  });
  for (let n = 0; n < KEYS; n += 1) model.set(bench.key(), fresh());
  const records = [...model.keys()];

  const steps = {
    claim: async (record: string, key: Modelled): Promise<void> => {
      const owner = `${pick(['a', 'b', 'c', 'd'])}-${next(1e6)}`;
      const fingerprint = pick([FINGERPRINT, FINGERPRINT, OTHER_FINGERPRINT]);
      const strict = next(2);
      const candidate = newId();
      const reply = await bench.redis.idempotencyClaim(
        record,
        candidate,
        owner,
        fingerprint,
        60_000,
        600,
        0,
        strict,
      );
      const binds = key.state !== 'none' && !(key.state === 'free' && key.paid === 0);
      const mismatch = binds && key.fingerprint !== fingerprint;
      if (mismatch && strict === 1) {
        t.deepEqual(reply, ['mismatch', key.id]);
        return;
      }
      if (key.state === 'done') {
        t.deepEqual(
          [...reply.slice(0, 4), reply[5]],
          ['done', key.id, key.status, key.body, Number(mismatch)],
        );
        return;
      }
      if (key.state === 'claimed' && !key.leaseOver) {
        t.deepEqual([reply[0], reply[1], reply[3]], ['in_flight', key.id, Number(mismatch)]);
        return;
      }
      const isNew = key.state === 'none';
      const id = isNew ? candidate : key.id;
      const dead = key.state === 'claimed' ? key.owners.slice(0, DEAD_KEPT) : key.dead;
      t.deepEqual(reply, ['claimed', id, isNew ? 0 : 1, key.paid, Number(mismatch), dead]);
      if (!binds) key.fingerprint = fingerprint;
      const owners = dead === '' ? owner : `${owner} ${dead}`;
      Object.assign(key, { state: 'claimed', id, owner, owners, leaseOver: false });
    },
    store: async (record: string, key: Modelled): Promise<void> => {
      const owner = next(4) === 0 ? 'stranger' : key.owner;
      if (key.state === 'none') return;
      const status = pick([202, 400, 429]);
      const body = status === 202 ? '' : `{"n":${next(100)}}`;
      const ours = key.state === 'claimed' && owner === key.owner;
      const reply = await bench.redis.idempotencyStore(
        record,
        owner,
        key.id,
        key.fingerprint,
        status,
        body,
        600_000,
      );
      t.is(reply, ours ? 'stored' : 'lost');
      if (ours) Object.assign(key, { state: 'done', status, body });
    },
    release: async (record: string, key: Modelled): Promise<void> => {
      const owner = next(4) === 0 ? 'stranger' : key.owner;
      const paid = next(2) === 0 ? 0 : 1;
      const hold = next(3) === 0 ? 60_000 : 0;
      const ours = key.state === 'claimed' && owner === key.owner;
      const reply = await bench.redis.idempotencyRelease(record, owner, paid, hold, 600);
      t.is(reply, ours ? (hold > 0 ? 'held' : 'released') : 'lost');
      if (!ours) return;
      const dead = key.owners.slice(key.owner.length + 1);
      Object.assign(key, hold > 0 ? { paid, leaseOver: false } : { state: 'free', paid, dead });
    },
    endLease: async (record: string, key: Modelled): Promise<void> => {
      if (key.state !== 'claimed') return;
      const value = (await bench.redis.get(record)) ?? '';
      await bench.redis.set(record, `${value.slice(0, 44)}0000000000001${value.slice(57)}`, 'EX', 600);
      key.leaseOver = true;
    },
    expire: async (record: string, key: Modelled): Promise<void> => {
      await bench.redis.del(record);
      Object.assign(key, fresh());
    },
    consume: async (): Promise<void> => {
      const token = pick(tokens);
      const dead = next(3) === 0 ? [pick(tokens), pick(tokens)] : [];
      const reply = await bench.redis.quotaConsume(
        counter,
        recent,
        LIMIT,
        600,
        0,
        token,
        dead.join(' '),
        REMEMBERED,
        600,
      );
      const inherited = dead.some(forget);
      const allowed = inherited || used < LIMIT;
      if (allowed && !inherited) used += 1;
      if (allowed) remembered = [token, ...remembered].slice(0, REMEMBERED);
      t.deepEqual(reply, [allowed ? 'consumed' : 'exceeded', used]);
    },
    refund: async (): Promise<void> => {
      const token = pick(tokens);
      const certain = next(4) === 0 ? 1 : 0;
      const reply = await bench.redis.quotaRefund(counter, recent, token, certain);
      const known = forget(token);
      const given = used > 0 && (known || certain === 1);
      if (given) used -= 1;
      t.deepEqual(reply, [given ? 'refunded' : 'empty', used]);
      t.deepEqual(await bench.redis.lrange(recent, 0, -1), remembered);
    },
  };
  const names = [
    'claim',
    'claim',
    'claim',
    'store',
    'release',
    'endLease',
    'consume',
    'consume',
    'refund',
  ] as const;

  for (let step = 0; step < STEPS; step += 1) {
    const record = records[next(records.length)] ?? '';
    const key = model.get(record) ?? fresh();
    const name = next(200) === 0 ? 'expire' : pick([...names]);
    await steps[name](record, key);
    const value = (await bench.redis.get(record)) ?? '';
    t.is(
      value === '' ? 'none' : value[0],
      { none: 'none', claimed: 'C', free: 'F', done: key.status === 202 ? 'A' : 'D' }[key.state],
      `step ${step}: ${name}, seed ${seed}`,
    );
    if (key.state !== 'none')
      t.is(value.slice(1, 43), key.id + key.fingerprint, `step ${step}: ${name}, seed ${seed}`);
  }
});
