/**
 * Reads what the scripts of lua/ answer, as the headers there say. Every function throws an Error for an answer that no
 * header names.
 *
 * The answers that nearly every call gets are numbers: a list of texts would cost as much to read as the call to send.
 */
import type {
  AdmitReply,
  AdmitRequest,
  ConsumeReply,
  ConsumeRequest,
  DayUsage,
  LookUpReply,
  NotNow,
  RefuseReply,
  RefuseRequest,
  SettleReply,
  SettleRequest,
  Standing,
} from './calls.js';

/** Reads what `admit` answers. */
export function readAdmits(raw: unknown, requests: readonly AdmitRequest[]): readonly AdmitReply[] {
  if (typeof raw === 'number') {
    // All are claimed; the last one has the last unit.
    return requests.map(({ id, usage }, index) => {
      tell(usage, raw);
      return { status: 'admitted', id, takenOver: false, used: raw - (requests.length - 1 - index) };
    });
  }
  const notNow = readNotNow(raw);
  if (notNow !== undefined) return requests.map(() => notNow);
  const [used, replies] = fields(raw);
  const each = fields(replies);
  return requests.map(({ id, usage }, index) => {
    tell(usage, Number(used));
    return readAdmit(each[index], id);
  });
}

/** Reads what `refuse` answers. */
export function readRefusals(raw: unknown, requests: readonly RefuseRequest[]): readonly RefuseReply[] {
  const notNow = readNotNow(raw);
  if (notNow !== undefined) return requests.map(() => notNow);
  return fields(raw).map((reply) => {
    const [status, value] = fields(reply);
    return status === 'refused' ? { status, tooMany: value === 1 } : readStanding(reply);
  });
}

/** Reads what `settle` answers. */
export function readSettles(raw: unknown, requests: readonly SettleRequest[]): readonly SettleReply[] {
  const each = raw === 1 ? undefined : fields(raw);
  return requests.map((request, index) => {
    const reply = readSettle(each === undefined ? 1 : each[index], request.id);
    const { usage } = request;
    if (reply.status === 'withdrawn' && usage?.used !== undefined) usage.used -= 1;
    return reply;
  });
}

/** Reads what `quota_consume` answers. */
export function readConsumes(raw: unknown, requests: readonly ConsumeRequest[]): readonly ConsumeReply[] {
  if (typeof raw === 'number') {
    return requests.map((_request, index) => ({
      status: 'consumed',
      used: raw - (requests.length - 1 - index),
    }));
  }
  const notNow = readNotNow(raw);
  if (notNow !== undefined) return requests.map(() => notNow);
  const [status, a, b] = fields(raw);
  const [taken, used] = [Number(a), Number(b)];
  if (status !== 'exceeded' && status !== 'throttled') throw unexpected(raw);
  return requests.map((_request, index) => {
    if (index < taken) return { status: 'consumed', used: used - (taken - 1 - index) };
    return status === 'exceeded' ? { status, used } : { status };
  });
}

/** Reads what `look_up` answers. */
export function readLookUp(raw: unknown): LookUpReply {
  const [status, id, left, now, a, b] = fields(raw);
  const known = { id: String(id), leftMs: Number(left), nowMs: Number(now) };
  switch (status) {
    case 'absent':
    case 'unreadable':
      return { status };
    case 'answered':
      return { ...known, status, httpStatus: Number(a), body: String(b) };
    case 'open':
      return { ...known, status, leaseLeftMs: Number(a) };
    default:
      throw unexpected(raw);
  }
}

function readAdmit(raw: unknown, id: string): AdmitReply {
  if (typeof raw === 'number') return { status: 'admitted', id, takenOver: false, used: raw };
  if (typeof raw === 'string') return accepted(raw);
  const [status, a, b, c] = fields(raw);
  switch (status) {
    case 'admitted':
      return { status, id: String(a), takenOver: b === 1, used: Number(c) };
    case 'exceeded':
      return { status, used: Number(a) };
    case 'throttled':
      return { status };
    default:
      return readStanding(raw);
  }
}

function readSettle(raw: unknown, id: string): SettleReply {
  if (raw === 1) return accepted(id);
  const [status] = fields(raw);
  if (status === 'withdrawn' || status === 'absent' || status === 'early') return { status };
  const standing = readStanding(raw);
  if (standing.status === 'in_flight' || standing.status === 'mismatch') throw unexpected(raw);
  return standing;
}

const accepted = (id: string) =>
  ({ status: 'answered', id, httpStatus: 202, body: '', leftMs: 0, mismatch: false }) as const;

function readNotNow(raw: unknown): NotNow | undefined {
  const [status, nowMs] = fields(raw);
  return status === 'not_now' ? { status, nowMs: Number(nowMs) } : undefined;
}

function tell(usage: DayUsage | undefined, used: number): void {
  if (usage !== undefined) usage.used = used;
}

function readStanding(raw: unknown): Standing {
  const [status, id, a, b, c, d] = fields(raw);
  switch (status) {
    case 'answered':
      return {
        status,
        id: String(id),
        httpStatus: Number(a),
        body: String(b),
        leftMs: Number(c),
        mismatch: d === 1,
      };
    case 'in_flight':
      return { status, id: String(id), leaseLeftMs: Number(a), mismatch: b === 1 };
    case 'open':
      return { status, id: String(id), mismatch: a === 1 };
    case 'mismatch':
      return { status, id: String(id) };
    case 'unreadable':
      return { status };
    default:
      throw unexpected(raw);
  }
}

/** Returns the fields of a reply. */
function fields(raw: unknown): readonly unknown[] {
  if (!Array.isArray(raw)) throw unexpected(raw);
  return raw;
}

function unexpected(raw: unknown): Error {
  const status = Array.isArray(raw) ? String(raw[0]) : typeof raw;
  return new Error(`a script gave an answer that its header does not name: ${status}`);
}
