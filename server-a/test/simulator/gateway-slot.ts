/** The place of a gateway in the world, through all of its lives. */
import type { SimulatedGateway } from './gateway.js';
import type { RegistryState } from './settings.js';
import type { SimulatedRedisClient } from './simulated-redis-client.js';

/** A gateway through its lives. */
export class GatewaySlot {
  lives = 0;
  gateway: SimulatedGateway | undefined;
  redis: SimulatedRedisClient | undefined;
  wallClockSkew = 0;
  registry: RegistryState;

  constructor(
    readonly name: string,
    registry: RegistryState,
  ) {
    this.registry = registry;
  }
}
