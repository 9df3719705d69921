/** What is written down of a history, for the checks: every request with its answer, as its sender saw it. */
import type { SimulatedAnswer } from './gateway.js';
import type { Process } from './process.js';

/** What a request's body is. */
export type BodyKind =
  /** The key's own message. */
  | 'valid'
  /** Another, valid message under the same key. */
  | 'other'
  /** No valid message. */
  | 'invalid'
  /** Of a media type that is not read. */
  | 'unreadable';

/** One request. */
export interface RequestRecord {
  /** 32 hex digits. */
  readonly id: string;
  readonly sender: string;
  readonly key: string | undefined;
  readonly body: BodyKind;
  /** API key's client. */
  readonly client: 'keyed' | 'unkeyed' | 'off';
  /** Virtual milliseconds, like all times here. */
  readonly sentAt: number;
  /** Id of the request that brought it: its own, or that of the first one in its batch. */
  sentAs?: string;
  /** The process that serves it, once it has reached one. */
  process?: Process;
  arrivedAt?: number;
  /** When the answer left the gateway; undefined = none has. */
  answeredAt?: number;
  answer?: ParsedAnswer;
  /** The gateway died before its answer, or was not there. */
  died?: boolean;
  /** Tells the sender. */
  onAnswer?: () => void;
}

/** An answer, read. */
export interface ParsedAnswer {
  readonly status: number;
  readonly text: string;
  readonly code: string | undefined;
  readonly trackingId: string | undefined;
  /** details.reason of a TOO_MANY_REQUESTS. */
  readonly reason: string | undefined;
  /** details.accepted of an INTERNAL_ERROR. */
  readonly accepted: string | undefined;
  readonly mismatch: boolean;
  readonly replayed: boolean;
  /** Seconds; undefined = not told. */
  readonly retryAfter: number | undefined;
}

/** Returns the answers to the items of a batch, each as if its item had been sent alone. @throws Error where it is none */
export function answersOfBatch({ status, body }: SimulatedAnswer): readonly SimulatedAnswer[] {
  const results = field(JSON.parse(body), 'results');
  if (status !== 207 || !Array.isArray(results)) throw new Error(`no answer to a batch: ${status} ${body}`);
  return results.map((result: unknown, index) => {
    if (field(result, 'index') !== index) throw new Error(`out of order: ${body}`);
    return {
      status: Number(field(result, 'status')),
      body: JSON.stringify(field(result, 'body')),
      headers: {
        ...(field(result, 'replayed') === true && { 'idempotent-replayed': 'true' }),
        ...(field(result, 'mismatch') === true && { 'idempotency-mismatch': 'true' }),
        ...(field(result, 'retry_after') !== undefined && { 'retry-after': field(result, 'retry_after') }),
      },
    };
  });
}

/** Reads an answer. */
export function parseAnswer({ status, body, headers }: SimulatedAnswer): ParsedAnswer {
  const parsed: unknown = JSON.parse(body);
  const details = field(parsed, 'details');
  const retryAfter = headers['retry-after'];
  return {
    status,
    text: body,
    code: text(field(parsed, 'error_code')),
    trackingId: text(field(parsed, 'tracking_id')),
    reason: text(field(details, 'reason')),
    accepted: text(field(details, 'accepted')),
    mismatch: headers['idempotency-mismatch'] === 'true' || body.includes('"Idempotency-Key"'),
    replayed: headers['idempotent-replayed'] === 'true',
    retryAfter: retryAfter === undefined ? undefined : Number(retryAfter),
  };
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
