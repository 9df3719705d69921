/** Puts attempts of several senders into one request, as a service does that sends what has come up meanwhile. */
import type { Choices } from './choices.js';
import type { GatewaySlot } from './gateway-slot.js';
import { batchOf, type ToSend } from './messages.js';
import type { RequestRecord } from './records.js';
import type { World } from './world.js';

/** An attempt, and who is told its answer. */
interface Waiting extends ToSend {
  readonly onEnd: (record: RequestRecord) => void;
}

/**
 * The batches that are being filled: one for each gateway. Until the world heals, a batch may also hold messages of senders
 * that have not asked for it, as of a second replica that does the same job.
 */
export class Batcher {
  readonly #world: World;
  readonly #choices: Choices;
  readonly #companions: () => readonly ToSend[];
  readonly #filling = new Map<GatewaySlot, Waiting[]>();

  /** @param companions messages that a batch may hold besides; a new record each time */
  constructor(world: World, choices: Choices, companions: () => readonly ToSend[]) {
    this.#world = world;
    this.#choices = choices;
    this.#companions = companions;
  }

  /** Puts an attempt into the batch for a gateway; false = its key is in that already. */
  add(slot: GatewaySlot, waiting: Waiting): boolean {
    const filling = this.#filling.get(slot);
    if (filling === undefined) {
      this.#filling.set(slot, [waiting]);
      const { waitMs } = this.#world.scenario.batches;
      this.#world.time.after(this.#choices.skewed(0, waitMs), () => this.#send(slot));
      return true;
    }
    if (filling.some(({ record }) => record.key === waiting.record.key)) return false;
    // In any order: two batches with the same keys may have them the other way round.
    filling.splice(this.#choices.integer(0, filling.length), 0, waiting);
    return true;
  }

  #send(slot: GatewaySlot): void {
    const asked = this.#filling.get(slot) ?? [];
    this.#filling.delete(slot);
    const endOf = new Map(asked.map(({ record, onEnd }) => [record, onEnd]));
    const items: ToSend[] = [...asked];
    for (const companion of this.#companions()) {
      const isThere = items.some(({ record }) => record.key === companion.record.key);
      if (!isThere) items.splice(this.#choices.integer(0, items.length), 0, companion);
    }
    this.#world.send(
      items.map(({ record }) => record),
      batchOf(items),
      slot,
      (record) => endOf.get(record)?.(record),
    );
  }
}
