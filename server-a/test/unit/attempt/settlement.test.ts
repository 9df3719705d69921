/**
 * Attempts are ended in Redis, at once or in the background.
 *
 * Over 250 lines: a list, one test for each thing that may happen to a write.
 */
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { ReplyError } from 'ioredis';
import type { Admitted, Attempt } from '../../../src/attempt/attempt.js';
import { Settlement } from '../../../src/attempt/settlement.js';
import { createLog } from '../../../src/logging/log.js';
import type { SettleReply, SettleRequest } from '../../../src/redis/calls.js';
import { RedisUnavailable } from '../../../src/redis/unavailable.js';
import { newClient } from '../../support/admission-bench.js';
import { type JsonObject, parseObject } from '../../support/json.js';
import { useVirtualClock } from '../../support/virtual-clock.js';
import { waitFor } from '../../support/wait-for.js';

const ID = '8a6e0804-2bd0-4672-b79d-d97027f9071a';
const COUNTER = 'quota:client:2026-11-23';
const WITHDRAWN: SettleReply = { status: 'withdrawn' };

const lost = (): RedisUnavailable => new RedisUnavailable('Redis did not answer in time', true);
const notSent = (): RedisUnavailable => new RedisUnavailable('Redis is not connected', false);

/** Redis, as far as settlements see it: answers from two lists, and for ever with the last of each. */
class ScriptedRedis {
  readonly settled: SettleRequest[] = [];
  readonly limits: (number | undefined)[] = [];
  readonly refunded: string[] = [];
  readonly #settlements: (SettleReply | Error)[];
  readonly #refunds: ('done' | Error)[];

  constructor(settlements: (SettleReply | Error)[], refunds: ('done' | Error)[] = ['done']) {
    this.#settlements = settlements;
    this.#refunds = refunds;
  }

  async settle(request: SettleRequest, limitMs?: number): Promise<SettleReply> {
    const answer = this.#settlements[Math.min(this.settled.length, this.#settlements.length - 1)];
    this.settled.push(request);
    this.limits.push(limitMs);
    if (answer === undefined || answer instanceof Error) throw answer ?? notSent();
    return answer;
  }

  async refund(counterKey: string): Promise<void> {
    const answer = this.#refunds[Math.min(this.refunded.length, this.#refunds.length - 1)];
    this.refunded.push(counterKey);
    if (answer instanceof Error) throw answer;
  }
}

function makeSettlement(redis: ScriptedRedis) {
  const logged: JsonObject[] = [];
  const log = createLog('test', 'trace', { write: (line) => void logged.push(parseObject(line)) });
  return { settlement: new Settlement(redis, log), logged };
}

const client = newClient();
const sender = { client, maskedKey: 'key-***' };
const attempt: Attempt = { ...sender, key: 'order-1', recordKey: 'idem:client:order-1', owner: 'owner-1' };
const admitted: Admitted = {
  status: 'admitted',
  id: ID,
  takenOver: false,
  used: 1,
  counterKey: COUNTER,
  digest: 'aaaaaaaaaa',
  leaseEndsAt: 0,
  secondsLeftOfDay: 1,
};
const lostAdmission = { id: ID, digest: 'aaaaaaaaaa', counterKey: COUNTER, admitDeadlineMs: 1234 };

/** What a line of a given-up write must say; the error stands beside it. */
const line = (kind: string, rest: JsonObject = {}): JsonObject => ({
  level: 'error',
  message: 'settlement.failed',
  kind,
  tracking_id: ID,
  client: 'Acme',
  client_api_key: 'key-***',
  ...rest,
});

/** Lines without what every line has and without the error, which is only looked for. */
function essence(logged: readonly JsonObject[]): JsonObject[] {
  return logged.map(({ service: _service, timestamp: _timestamp, err, ...rest }) => ({
    ...rest,
    ...(err === undefined && { err: 'missing' }),
  }));
}

test('end: Redis answers -> the reply, with what the attempt was told to write', async (t) => {
  useVirtualClock(t);
  const redis = new ScriptedRedis([WITHDRAWN]);
  const { settlement, logged } = makeSettlement(redis);
  t.deepEqual(await settlement.end(attempt, admitted, 'not_sent', 0, 300), WITHDRAWN);
  t.deepEqual(redis.settled, [
    {
      ending: 'not_sent',
      recordKey: 'idem:client:order-1',
      counterKey: COUNTER,
      owner: 'owner-1',
      id: ID,
      digest: 'aaaaaaaaaa',
      durationMs: 0,
      admitDeadlineMs: 0,
      usage: undefined,
    },
  ]);
  t.deepEqual(redis.limits, [300]);
  t.deepEqual([settlement.waiting, logged], [0, []]);
});

test('end: no answer, whatever the reason -> undefined at once; written again until Redis takes it', async (t) => {
  useVirtualClock(t);
  const redis = new ScriptedRedis([lost(), notSent(), new ReplyError('LOADING'), WITHDRAWN]);
  const { settlement, logged } = makeSettlement(redis);
  t.is(await settlement.end(attempt, admitted, 'answered', 60_000, 300), undefined);
  t.is(settlement.waiting, 1);
  await waitFor('the write', () => settlement.waiting === 0);
  t.is(redis.settled.length, 4);
  t.is(new Set(redis.settled.map((request) => JSON.stringify(request))).size, 1);
  // The request had little time; what goes on behind it has the usual.
  t.deepEqual(redis.limits, [300, undefined, undefined, undefined]);
  t.deepEqual(logged, []);
});

for (const [ending, rest] of [
  ['answered', {}],
  ['held', {}],
  ['unknown', {}],
  ['not_sent', { quota_day: '2026-11-23' }],
] as const) {
  test(`drain: an attempt’s end as ${ending} that Redis never takes -> tried once more, given up, logged`, async (t) => {
    useVirtualClock(t);
    const redis = new ScriptedRedis([lost()]);
    const { settlement, logged } = makeSettlement(redis);
    await settlement.end(attempt, admitted, ending, 0);
    t.deepEqual(await settlement.drain(), { givenUp: 1 });
    t.is(redis.settled.length, 2);
    t.deepEqual(essence(logged), [line(ending, rest)]);
  });
}

test('cut short: writes wait, and one is on its way again -> each given up and logged, once', async (t) => {
  useVirtualClock(t);
  const redis = new (class extends ScriptedRedis {
    override async settle(request: SettleRequest): Promise<SettleReply> {
      if (this.settled.length === 2) await delay(50);
      return super.settle(request);
    }
  })([lost()]);
  const { settlement, logged } = makeSettlement(redis);
  for (const key of ['a', 'b']) await settlement.end({ ...attempt, recordKey: key }, admitted, 'unknown', 0);
  const drained = settlement.drain();
  settlement.cutShort();
  t.deepEqual(essence(logged), [line('unknown'), line('unknown')]);
  await drained;
  await delay(100);
  t.is(logged.length, 2);
});

test('drain: nothing is waiting -> at once', async (t) => {
  useVirtualClock(t);
  const { settlement } = makeSettlement(new ScriptedRedis([WITHDRAWN]));
  t.deepEqual(await settlement.drain(), { givenUp: 0 });
});

test('drain: Redis is back -> what waits is written, and nothing given up', async (t) => {
  useVirtualClock(t);
  const redis = new ScriptedRedis([lost(), lost(), lost(), WITHDRAWN]);
  const { settlement, logged } = makeSettlement(redis);
  for (const key of ['a', 'b', 'c'])
    await settlement.end({ ...attempt, recordKey: key }, admitted, 'unknown', 0);
  t.is(settlement.waiting, 3);
  t.deepEqual(await settlement.drain(), { givenUp: 0 });
  t.deepEqual(
    redis.settled
      .slice(3)
      .map(({ recordKey }) => recordKey)
      .sort(),
    ['a', 'b', 'c'],
  );
  t.deepEqual(logged, []);
});

test('drain: called while writes pause -> does not wait for the end of the pause', async (t) => {
  useVirtualClock(t);
  const { settlement } = makeSettlement(new ScriptedRedis([lost()]));
  await settlement.end(attempt, admitted, 'unknown', 0);
  let drained = false;
  void settlement.drain().then(() => {
    drained = true;
  });
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  t.true(drained);
});

test('drain: an attempt ends while it runs -> it is waited for too', async (t) => {
  useVirtualClock(t);
  const redis = new (class extends ScriptedRedis {
    override async settle(request: SettleRequest): Promise<SettleReply> {
      const isRepeated = this.settled.some(({ ending }) => ending === request.ending);
      if (isRepeated) await delay(request.ending === 'held' ? 50 : 5);
      return super.settle(request);
    }
  })([lost()]);
  const { settlement, logged } = makeSettlement(redis);
  await settlement.end(attempt, admitted, 'unknown', 0);
  const drained = settlement.drain();
  await settlement.end(attempt, admitted, 'held', 15_000);
  t.deepEqual(await drained, { givenUp: 2 });
  t.deepEqual(
    logged.map(({ kind }) => kind),
    ['unknown', 'held'],
  );
});

for (const [late, reply] of [
  ['unknown', { status: 'open', id: ID, mismatch: false }],
  ['not_sent', WITHDRAWN],
] as const) {
  test(`end: held for a late confirm while Redis is away, then it ends as ${late} -> only the last end is still written`, async (t) => {
    useVirtualClock(t);
    const redis = new ScriptedRedis([lost(), lost(), reply]);
    const { settlement, logged } = makeSettlement(redis);
    await settlement.end(attempt, admitted, 'held', 15_000);
    await settlement.end(attempt, admitted, late, 0);
    await waitFor('the writes', () => settlement.waiting === 0);
    t.deepEqual(
      redis.settled.map(({ ending }) => ending),
      ['held', late, late],
    );
    t.deepEqual(logged, []);
  });
}

test('undo: early -> asked again until it is not; with the deadline of the admission', async (t) => {
  useVirtualClock(t);
  const redis = new ScriptedRedis([{ status: 'early' }, lost(), { status: 'early' }, { status: 'absent' }]);
  const { settlement, logged } = makeSettlement(redis);
  settlement.undo(attempt, lostAdmission, lost());
  t.is(settlement.waiting, 1);
  await waitFor('the undoing', () => settlement.waiting === 0);
  t.is(redis.settled.length, 4);
  const [{ ending, owner, admitDeadlineMs, counterKey } = {}] = redis.settled;
  t.deepEqual([ending, owner, admitDeadlineMs, counterKey], ['not_sent', 'owner-1', 1234, COUNTER]);
  t.deepEqual(logged, []);
});

test('undo: still early when the gateway ends -> given up, logged with the day that may be charged', async (t) => {
  useVirtualClock(t);
  const { settlement, logged } = makeSettlement(new ScriptedRedis([{ status: 'early' }]));
  settlement.undo(attempt, lostAdmission, lost());
  t.deepEqual(await settlement.drain(), { givenUp: 1 });
  t.deepEqual(essence(logged), [line('undo', { quota_day: '2026-11-23' })]);
});

test('refund: done -> once', async (t) => {
  useVirtualClock(t);
  const redis = new ScriptedRedis([WITHDRAWN], ['done']);
  const { settlement, logged } = makeSettlement(redis);
  await settlement.refund(sender, COUNTER, ID);
  t.deepEqual([redis.refunded, settlement.waiting, logged], [[COUNTER], 0, []]);
});

test('refund: no reply, so it may have run -> never repeated; given up and logged', async (t) => {
  useVirtualClock(t);
  const redis = new ScriptedRedis([WITHDRAWN], [lost()]);
  const { settlement, logged } = makeSettlement(redis);
  await settlement.refund(sender, COUNTER, ID);
  t.is(settlement.waiting, 0);
  t.deepEqual(essence(logged), [line('refund', { quota_day: '2026-11-23' })]);
  t.deepEqual(await settlement.drain(), { givenUp: 1 });
  t.is(redis.refunded.length, 1);
});

test('refund: certainly not run, or refused by Redis -> repeated until it is done', async (t) => {
  useVirtualClock(t);
  const redis = new ScriptedRedis([WITHDRAWN], [notSent(), new ReplyError('READONLY'), 'done']);
  const { settlement, logged } = makeSettlement(redis);
  await settlement.refund(sender, COUNTER, ID);
  t.is(settlement.waiting, 1);
  await waitFor('the refund', () => settlement.waiting === 0);
  t.is(redis.refunded.length, 3);
  t.deepEqual(logged, []);
});

test('refund: a repeated one gets no reply -> not repeated any more; given up and logged once', async (t) => {
  useVirtualClock(t);
  const redis = new ScriptedRedis([WITHDRAWN], [notSent(), lost(), 'done']);
  const { settlement, logged } = makeSettlement(redis);
  await settlement.refund(sender, COUNTER, ID);
  await waitFor('the end of it', () => settlement.waiting === 0);
  t.is(redis.refunded.length, 2);
  t.deepEqual(essence(logged), [line('refund', { quota_day: '2026-11-23' })]);
});

test('outage: more writes than may wait -> those beyond are given up and logged at once', async (t) => {
  const { settlement, logged } = makeSettlement(new ScriptedRedis([notSent()]));
  const ends = Array.from({ length: 20_001 }, () => settlement.end(attempt, admitted, 'unknown', 0));
  await Promise.all(ends);
  t.is(settlement.waiting, 20_000);
  t.is(logged.length, 1);
  t.deepEqual(await settlement.drain(), { givenUp: 20_001 });
});

test('outage: longer than a minute -> given up and logged; the gateway goes on', async (t) => {
  useVirtualClock(t);
  const redis = new ScriptedRedis([lost()]);
  const { settlement, logged } = makeSettlement(redis);
  await settlement.end(attempt, admitted, 'answered', 60_000);
  await delay(59_900);
  t.is(settlement.waiting, 1);
  const tries = redis.settled.length;
  await delay(400);
  t.is(settlement.waiting, 0);
  t.true(redis.settled.length <= tries + 1);
  t.deepEqual(essence(logged), [line('answered')]);
});
