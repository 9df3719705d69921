/**
 * One walk through random steps over keys and counters, each held against the model.
 *
 * Over 250 lines: one step of the walk for each thing that a script may be asked.
 */
import type { ExecutionContext } from 'ava';
import type { Ending } from '../../src/redis/calls.js';
import { DIGEST, FAR_MS, newId, OTHER_DIGEST, type ScriptBench } from '../support/redis.js';
import { BucketModel } from './bucket.js';
import { choices } from './choices.js';
import { Lifespans } from './lifespans.js';
import { Model, type ModelAttempt, SOME_MS, type When } from './model.js';
import { readRecord } from './read-record.js';

const KEYS = 5;
const LIMIT = 9;
/** Refusals that are stored while their count lives; few are, since most keys have a record. */
const MOST_REFUSALS = 3;
const DAYS = ['2026-11-23', '2026-11-24', '2026-11-25'] as const;
/** What may happen beside the scripts; what is listed twice happens twice as often. */
const EVENTS = [
  'record expires',
  'record expires',
  'record ages',
  'record ages',
  'record ages',
  'counter expires',
  'counter ages',
  'counter ages',
  'bucket expires',
  'day changes',
  'newer version',
] as const;
/** Attempts of a key that are remembered, to be settled late or to come again. */
const REMEMBERED = 8;
/** Longer than any run, so that nothing ends but by a step; and no two of them near each other. */
const LIVES = {
  record: 4_000_000,
  least: 3_000_000,
  answer: 1_000_000,
  hold: 2_500_000,
  counterSeconds: 86_400,
};
/** New messages that a client with a limit per second may send; a walk sends more. */
const PER_SECOND = 2;
const LEASE_MS = 1_500_000;
const SHORTENED_MS = 500_000;

interface Attempt extends ModelAttempt {
  wasAdmitted: boolean;
}

/** A walk on one bench; the same seed takes the same steps on another. */
export class Walk {
  readonly #bench: ScriptBench;
  readonly #seed: number;
  readonly #random: ReturnType<typeof choices>;
  readonly #model = new Model(LIVES);
  readonly #lifespans: Lifespans;
  readonly #attempts = new Map<string, Attempt[]>();
  readonly #records: readonly [string, ...string[]];
  readonly #counters: readonly [string, ...string[]];
  /** Key of the count of stored refusals: a counter like those of units. */
  readonly #refusals: string;
  readonly #rate: { readonly bucket: string; readonly perSecond: number };
  readonly #bucket = new BucketModel(PER_SECOND);
  #day = 0;
  #owners = 0;
  /** Replies that have come: step and status. */
  readonly seen = new Set<string>();

  constructor(bench: ScriptBench, seed: number) {
    this.#bench = bench;
    this.#seed = seed;
    this.#random = choices(seed);
    this.#lifespans = new Lifespans(bench.redis);
    this.#records = [bench.key(), ...Array.from({ length: KEYS - 1 }, () => bench.key())];
    this.#refusals = bench.key();
    this.#rate = { bucket: bench.key(), perSecond: PER_SECOND };
    this.#counters = [bench.counter(DAYS[0]), bench.counter(DAYS[1]), bench.counter(DAYS[2])];
  }

  /** Takes a step, and holds everything against the model. */
  async step(t: ExecutionContext, number: number): Promise<void> {
    const { pick, oneIn } = this.#random;
    const record = pick(this.#records);
    const [name, reply, expected] = await this.#take(oneIn(8) ? 'world' : 'script', record);
    this.#lifespans.keepOnly([...this.#model.records.keys(), ...this.#model.counters.keys()]);
    const where = `step ${number}: ${name}, seed ${this.#seed}`;
    this.seen.add(
      `${name} ${String(reply[0])}${reply[0] === 'refused' && reply[1] === 1 ? ' too many' : ''}`,
    );
    // Once the assertions fail, all later steps would: the first one is the one to look at.
    const right = expected.length === reply.length && expected.every((field, n) => isAs(reply[n], field));
    if (!right) t.deepEqual(reply, expected, where);
    t.deepEqual(await readRecord(this.#bench, record), this.#model.records.get(record), where);
    for (const counter of [...this.#counters, this.#refusals]) {
      const used = await this.#bench.redis.get(counter);
      t.is(used === null ? undefined : Number(used), this.#model.counters.get(counter), where);
    }
    t.deepEqual(await this.#lifespans.faults(), [], where);
  }

  async #take(
    kind: 'world' | 'script',
    record: string,
  ): Promise<[name: string, reply: readonly unknown[], expected: readonly unknown[]]> {
    if (kind === 'world') return [await this.#changeTheWorld(record), [], []];
    const { pick } = this.#random;
    this.#model.lives.clear();
    const before = performance.now();
    const name = pick([
      'admit',
      'admit',
      'admit',
      'settle',
      'settle',
      'refuse',
      'refuse',
      'consume',
      'refund',
      'endLease',
    ]);
    const [reply, expected] = await this.#run(name, record);
    this.#lifespans.note(before, this.#model.lives);
    return [name, reply, expected];
  }

  async #run(name: string, record: string): Promise<[readonly unknown[], readonly unknown[]]> {
    const counter = this.#counters[this.#day] ?? this.#counters[0];
    switch (name) {
      case 'admit':
        return this.#admit(record, counter);
      case 'settle':
        return this.#settle(record, counter);
      case 'refuse':
        return this.#refuse(record);
      case 'consume': {
        const when = this.#when();
        const limit = this.#limit();
        return this.#charging(
          (rate) => this.#bench.consume(counter, limit, { ...windowOf(when), ...rate }),
          (hasToken) => this.#model.consume(counter, limit, when, hasToken),
        );
      }
      case 'refund':
        return [await this.#bench.refund(counter), this.#model.refund(counter)];
      default:
        await this.#endLease(record);
        return [[], []];
    }
  }

  async #admit(record: string, counter: string): Promise<[readonly unknown[], readonly unknown[]]> {
    const { pick, oneIn } = this.#random;
    const known = this.#attempts.get(record) ?? [];
    const [first, ...others] = known;
    const attempt = first !== undefined && oneIn(5) ? pick([first, ...others]) : this.#newAttempt(counter);
    const { owner, id, digest } = attempt;
    const [strict, when, limit] = [oneIn(2), this.#when(), this.#limit()];
    const [reply, expected] = await this.#charging(
      (rate) =>
        this.#bench.admit(record, attempt.counter, {
          owner,
          id,
          digest,
          strict,
          limit,
          leaseMs: LEASE_MS,
          lifeMs: LIVES.record,
          minLifeMs: LIVES.least,
          counterLifeSeconds: LIVES.counterSeconds,
          ...windowOf(when),
          ...rate,
        }),
      (hasToken) => this.#model.admit(record, attempt, strict, limit, when, hasToken),
    );
    if (!known.includes(attempt)) this.#attempts.set(record, [attempt, ...known].slice(0, REMEMBERED));
    if (reply[0] === 'admitted') Object.assign(attempt, { id: reply[1], wasAdmitted: true });
    return [reply, expected];
  }

  /** Makes a call that may charge, of a client with a limit per second or of one without. */
  async #charging(
    call: (rate: { readonly rate?: { bucket: string; perSecond: number } }) => Promise<readonly unknown[]>,
    model: (hasToken: boolean) => readonly unknown[],
  ): Promise<[readonly unknown[], readonly unknown[]]> {
    if (this.#random.oneIn(2)) return [await call({}), model(true)];
    const beforeMs = await this.#bench.now();
    const reply = await call({ rate: this.#rate });
    const between = { beforeMs, afterMs: await this.#bench.now() };
    // Where it is not known, the call says it.
    const expected = model(this.#bucket.hasToken(between) ?? reply[0] !== 'throttled');
    if (
      expected[0] === 'consumed' ||
      (expected[0] === 'admitted' && expected[2] === 0 && expected[3] !== SOME_MS)
    )
      this.#bucket.take(between);
    return [reply, expected];
  }

  async #settle(record: string, counter: string): Promise<[readonly unknown[], readonly unknown[]]> {
    const { pick, oneIn } = this.#random;
    const known = this.#attempts.get(record) ?? [];
    // Mostly the owner, or one that was: what the others send is all answered alike.
    const admitted = known.filter((attempt) => attempt.wasAdmitted);
    const [first, ...others] = admitted.length > 0 && !oneIn(4) ? admitted : known;
    const attempt =
      first === undefined || oneIn(10)
        ? this.#newAttempt(counter)
        : oneIn(2)
          ? first
          : pick([first, ...others]);
    const { owner, id, digest } = attempt;
    const ending = pick<Ending>(['answered', 'not_sent', 'not_sent', 'held', 'held', 'unknown']);
    const deadline = ending === 'not_sent' ? pick([0, 1, FAR_MS]) : 0;
    const reply = await this.#bench.settle(record, ending, {
      owner,
      id,
      digest,
      deadline,
      durationMs: ending === 'answered' ? LIVES.answer : ending === 'held' ? LIVES.hold : 0,
      ...(ending === 'not_sent' && { counter: attempt.counter }),
    });
    return [reply, this.#model.settle(record, ending, attempt, deadline === FAR_MS)];
  }

  async #refuse(record: string): Promise<[readonly unknown[], readonly unknown[]]> {
    const { pick, oneIn, below } = this.#random;
    const digest = pick([DIGEST, DIGEST, OTHER_DIGEST, '']);
    const keep = digest !== '' && !oneIn(3);
    const [id, status, body] = [newId(), pick([400, 409, 429]), `{"n":${below(100)}}`];
    const refusal = { id, digest, status, body, keep, count: this.#refusals };
    const [strict, when, most] = [oneIn(2), this.#when(), oneIn(2) ? below(2) : MOST_REFUSALS];
    const reply = await this.#bench.refuse(record, {
      ...refusal,
      strict,
      lifeMs: keep ? LIVES.answer : 0,
      most,
      ...windowOf(when),
    });
    return [reply, this.#model.refuse(record, refusal, strict, most, when)];
  }

  /** Lets something happen that no script does. */
  async #changeTheWorld(record: string): Promise<string> {
    const { pick, below } = this.#random;
    const { redis } = this.#bench;
    const { records, counters } = this.#model;
    // A record that no script can read must not stand in the way for long.
    const name = records.get(record)?.state === 'unreadable' ? 'record expires' : pick(EVENTS);
    const counter = pick([this.#refusals, ...this.#counters]);
    switch (name) {
      case 'record expires':
        await redis.del(record);
        records.delete(record);
        break;
      case 'record ages':
        await this.#age(record);
        break;
      case 'counter ages':
        await this.#age(counter);
        break;
      case 'counter expires':
        await redis.del(counter);
        counters.delete(counter);
        break;
      case 'bucket expires':
        await redis.del(this.#rate.bucket);
        this.#bucket.fill();
        break;
      case 'day changes':
        this.#day = below(DAYS.length);
        break;
      case 'newer version': {
        const before = performance.now();
        await redis.set(record, `2O${newId()}`, 'PX', LIVES.record);
        records.set(record, { state: 'unreadable' });
        this.#lifespans.note(before, new Map([[record, { set: LIVES.record }]]));
        break;
      }
    }
    return name;
  }

  async #age(key: string): Promise<void> {
    const before = performance.now();
    if ((await this.#bench.redis.pexpire(key, SHORTENED_MS)) === 0) return;
    this.#lifespans.note(before, new Map([[key, { set: SHORTENED_MS }]]));
  }

  async #endLease(record: string): Promise<void> {
    const found = this.#model.records.get(record);
    if (found?.state !== 'open') return;
    await this.#bench.endLease(record);
    this.#model.records.set(record, { ...found, leaseRuns: false });
  }

  #newAttempt(counter: string): Attempt {
    const { pick } = this.#random;
    this.#owners += 1;
    const digest = pick([DIGEST, DIGEST, DIGEST, OTHER_DIGEST]);
    return { owner: `owner-${this.#owners}`, id: newId(), digest, counter, wasAdmitted: false };
  }

  #limit(): number {
    return this.#random.oneIn(10) ? this.#random.below(3) : LIMIT;
  }

  #when(): When {
    return this.#random.pick(['early', 'late', ...Array.from({ length: 14 }, () => 'in time' as const)]);
  }
}

function isAs(field: unknown, expected: unknown): boolean {
  return expected === SOME_MS ? typeof field === 'number' && field >= 0 : field === expected;
}

function windowOf(when: When): { from: number; deadline: number } {
  if (when === 'early') return { from: FAR_MS - 1, deadline: FAR_MS };
  return { from: 0, deadline: when === 'late' ? 1 : FAR_MS };
}
