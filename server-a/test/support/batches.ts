/** Batches as tests make them, and their answers as tests read them. */
import { randomUUID } from 'node:crypto';
import type { Answer } from './http-client.js';
import { asList, asObject, type JsonObject } from './json.js';
import { newBody } from './site.js';

/** An item of the answer to a batch. */
export interface ItemResult {
  readonly index: unknown;
  readonly key: unknown;
  readonly status: number;
  readonly body: JsonObject;
  readonly replayed: boolean | undefined;
  readonly mismatch: boolean | undefined;
  readonly retryAfter: unknown;
}

/** Returns this many messages, each with a key and a text like no other. */
export function itemsOf(count: number) {
  return Array.from({ length: count }, () => ({ idempotency_key: randomUUID(), ...newBody() }));
}

/** Returns what became of each item. @throws Error where the batch was refused as a whole */
export function resultsOf({ status, json, text }: Answer): ItemResult[] {
  if (status !== 207) throw new Error(`${status} ${text}`);
  return asList(json['results']).map((item) => {
    const { index, idempotency_key: key, status, body, replayed, mismatch, retry_after } = asObject(item);
    return {
      index,
      key,
      status: Number(status),
      body: asObject(body),
      replayed: replayed === undefined ? undefined : replayed === true,
      mismatch: mismatch === undefined ? undefined : mismatch === true,
      retryAfter: retry_after,
    };
  });
}
