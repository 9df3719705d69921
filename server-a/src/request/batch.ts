/** The body of a batch: which items it has, and what makes the whole of it wrong. */
import { type FieldFault, invalidPayload, OBJECT_EXPECTED, REQUIRED, UNKNOWN_FIELD } from '../errors.js';
import { readIdempotencyKey } from './idempotency-key.js';

/** Items of a batch, at the most. */
export const MOST_ITEMS = 100;

const MESSAGES_EXPECTED = `must be a list of 1 to ${MOST_ITEMS} messages`;
const KEY_EXPECTED = 'must be a string';

/** One message of a batch. */
export interface BatchItem {
  /** Its idempotency key, as it was written. */
  readonly key: string;
  /** What a request of its own would have as its body. */
  readonly body: unknown;
}

/**
 * Reads the items of a parsed body. What an item says is not looked at, but for its key.
 *
 * @throws {ApiError} INVALID_PAYLOAD for a body that is no batch, with each fault by its place
 */
export function readBatch(parsed: unknown): readonly BatchItem[] {
  if (!isObject(parsed)) throw invalidPayload([{ field: 'body', message: OBJECT_EXPECTED }]);
  const unknown = Object.keys(parsed)
    .filter((field) => field !== 'messages')
    .map((field) => ({ field, message: UNKNOWN_FIELD }));
  const { messages } = parsed;
  if (!Array.isArray(messages) || messages.length === 0 || messages.length > MOST_ITEMS) {
    const message = messages === undefined || messages === null ? REQUIRED : MESSAGES_EXPECTED;
    throw invalidPayload([{ field: 'messages', message }, ...unknown]);
  }
  const read = messages.map(readItem);
  const items = read.filter((item) => 'key' in item);
  const faults = [...read.filter((item) => 'field' in item), ...repeatedKeys(items), ...unknown];
  if (faults.length > 0) throw invalidPayload(faults);
  return items;
}

interface ItemAt extends BatchItem {
  readonly index: number;
}

function readItem(item: unknown, index: number): ItemAt | FieldFault {
  if (!isObject(item)) return { field: `messages[${index}]`, message: OBJECT_EXPECTED };
  const { idempotency_key: key, ...body } = item;
  if (typeof key === 'string') return { key, body, index };
  const isMissing = key === undefined || key === null;
  return {
    field: `messages[${index}].idempotency_key`,
    message: isMissing ? REQUIRED : KEY_EXPECTED,
  };
}

/** Two items with one key would wait for each other, and only one of them could be meant. */
function repeatedKeys(items: readonly ItemAt[]): FieldFault[] {
  const firstOf = new Map<string, number>();
  return items.flatMap(({ key, index }) => {
    const read = readIdempotencyKey(key) ?? key;
    const first = firstOf.get(read);
    if (first === undefined) firstOf.set(read, index);
    return first === undefined
      ? []
      : [{ field: `messages[${index}].idempotency_key`, message: `is the key of messages[${first}] too` }];
  });
}

function isObject(value: unknown): value is Readonly<Partial<Record<string, unknown>>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
