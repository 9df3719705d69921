/** Checks of what the senders were told. */
import { textOf } from './messages.js';
import type { RequestRecord } from './records.js';
import type { StoredMessage } from './simulated-broker.js';
import type { World } from './world.js';

/** What in a history excuses some of the checks. */
export interface Excuses {
  /** Redis has lost writes. */
  readonly losses: boolean;
  /** Records have ended within the history. */
  readonly shortLives: boolean;
}

/** Milliseconds of virtual time for an answer; above the request's own limit, because timers come late. */
const ANSWER_LIMIT_MS = 3000;

/** Checks every answer of a history. */
export function checkAnswers(world: World, excuses: Excuses): void {
  const messages = new Map<string, StoredMessage[]>();
  for (const message of world.broker.queue) {
    if (message.key === undefined) continue;
    const known = messages.get(message.key);
    if (known === undefined) messages.set(message.key, [message]);
    else known.push(message);
  }
  const byRequest = new Map(
    world.broker.queue.map((message) => [`${message.requestId} ${message.key}`, message]),
  );
  for (const record of world.requests) {
    checkTime(world, record);
    checkAccepted(world, record, excuses);
    checkNo(world, record, messages, byRequest, excuses);
    checkRefusal(world, record, messages, excuses);
  }
  checkDecisions(world, excuses);
}

function checkTime(world: World, record: RequestRecord): void {
  const { process, arrivedAt, answeredAt, died } = record;
  if (process === undefined || arrivedAt === undefined || died === true) return;
  if (answeredAt === undefined) {
    world.violated('answers', `${record.id} has no answer`);
    return;
  }
  const took = answeredAt - arrivedAt - process.frozenWithin(arrivedAt, answeredAt);
  if (took > ANSWER_LIMIT_MS)
    world.violated('time', `${record.id} was answered after ${Math.round(took)} ms`);
}

function checkAccepted(world: World, record: RequestRecord, { losses, shortLives }: Excuses): void {
  const { id, key, body, answer, answeredAt = 0 } = record;
  if (answer?.status !== 202) return;
  const message = world.broker.queue.find(({ trackingId }) => trackingId === answer.trackingId);
  if (message === undefined) {
    world.violated('accepted', `${id} was told 202 with ${answer.trackingId}, which is not in the queue`);
  } else if (message.at > answeredAt) {
    world.violated('accepted', `${id} was told 202 before ${answer.trackingId} was in the queue`);
  } else if (message.key !== key) {
    world.violated('accepted', `${id} of ${key} was told 202 with a message of ${message.key}`);
  } else if (
    !losses &&
    !shortLives &&
    !answer.mismatch &&
    body !== 'unreadable' &&
    message.text !== textOf(record)
  ) {
    world.violated('bodies', `${id} was told 202, and "${message.text}" is in the queue`);
  }
  if (answer.mismatch && world.scenario.settings.mismatch === 'reject') {
    world.violated('bodies', `${id} was told 202 for another body, which was to be rejected`);
  }
}

/** `accepted: "no"` is never said of a message that is there, and names no tracking id. */
function checkNo(
  world: World,
  record: RequestRecord,
  messages: ReadonlyMap<string, readonly StoredMessage[]>,
  byRequest: ReadonlyMap<string, StoredMessage>,
  { losses, shortLives }: Excuses,
): void {
  const { id, key, answer, arrivedAt = 0 } = record;
  if (answer?.accepted !== 'no') return;
  if (answer.trackingId !== undefined) world.violated('no', `${id} was told no, with a tracking id`);
  const own = byRequest.get(`${record.sentAs} ${key}`);
  if (own !== undefined) world.violated('no', `${id} was told no, and has itself queued ${own.trackingId}`);
  if (key === undefined || losses || shortLives) return;
  const earlier = messages.get(key)?.find(({ at }) => at < arrivedAt);
  if (earlier !== undefined) world.violated('no', `${id} was told no, and ${key} was queued already`);
}

/** A refusal is never told of a key whose message is queued, but for what speaks of another body. */
function checkRefusal(
  world: World,
  record: RequestRecord,
  messages: ReadonlyMap<string, readonly StoredMessage[]>,
  { losses, shortLives }: Excuses,
): void {
  const { id, key, answer, arrivedAt = 0 } = record;
  if (answer === undefined || key === undefined || losses || shortLives) return;
  const { status, mismatch } = answer;
  const isRefusal = (status >= 400 && status < 500 && status !== 401 && status !== 408) || status === 503;
  if (!isRefusal || mismatch) return;
  const queued = messages.get(key) ?? [];
  if (queued.some(({ at }) => at < arrivedAt)) {
    world.violated('refusal', `${id} was told ${status}, and ${key} was queued already`);
  }
  if (isStored(record) && queued.length > 0) {
    world.violated('refusal', `${id} was told ${status} for good, and ${key} is queued`);
  }
}

/** A refusal that is kept for the key's whole life. */
function isStored({ answer, body }: RequestRecord): boolean {
  if (answer === undefined || answer.mismatch || body === 'unreadable') return false;
  return [400, 409, 422].includes(answer.status);
}

/** Whatever was decided for a key is told to everybody who asks after it, byte for byte. */
function checkDecisions(world: World, { losses, shortLives }: Excuses): void {
  if (losses || shortLives) return;
  const decisions = new Map<string, string>();
  for (const record of world.requests) {
    const { key, answer } = record;
    if (key === undefined || answer === undefined) continue;
    if (answer.status !== 202 && !isStored(record)) continue;
    const told = `${answer.status} ${answer.text}`;
    const known = decisions.get(key);
    if (known === undefined) decisions.set(key, told);
    else if (known !== told) world.violated('decisions', `${key} was told ${known}, and ${told}`);
  }
}
