/** Checks of a history in which nothing fails: every guard must also let through what is right. */
import type { World } from './world.js';

/** Without a failure every request is answered with a decision, and every key is queued once. */
export function checkCalm(world: World): void {
  const { calm, shortLives, settings } = world.scenario;
  if (!calm || shortLives || settings.maxInFlight < 100) return;
  for (const { id, answer, mismatch } of world.requests.map((record) => ({
    ...record,
    mismatch: record.answer?.mismatch,
  }))) {
    if (answer?.status === 500 && mismatch !== true) world.violated('calm', `${id} was told ${answer.text}`);
  }
  const seen = new Set<string>();
  for (const { trackingId } of world.broker.queue) {
    if (seen.has(trackingId)) world.violated('calm', `${trackingId} is in the queue twice`);
    seen.add(trackingId);
  }
}
