/** A tracking id has two forms: UUIDv4 for people and messages, 32 hex digits in the idempotency record. */
import { randomUUID } from 'node:crypto';

/** Returns a new tracking id, UUIDv4. */
export function newTrackingId(): string {
  return randomUUID();
}

/** UUID -> 32 hex digits. */
export function toCompact(uuid: string): string {
  return uuid.slice(0, 8) + uuid.slice(9, 13) + uuid.slice(14, 18) + uuid.slice(19, 23) + uuid.slice(24);
}

/** 32 hex digits -> UUID. */
export function fromCompact(id: string): string {
  return `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`;
}
