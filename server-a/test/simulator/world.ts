/**
 * The world of a history: services, gateways with their lives, and what happens to them.
 *
 * Over 250 lines: everything that happens in a history happens to this.
 */
import { BATCH_PATH } from '../../src/http/paths.js';
import { Choices } from './choices.js';
import { type SimulatedAnswer, SimulatedGateway } from './gateway.js';
import { GatewaySlot } from './gateway-slot.js';
import type { InjectedFailures } from './injected-failures.js';
import { LeaseWatch } from './lease-watch.js';
import type { SentRequest } from './messages.js';
import { Process } from './process.js';
import { answersOfBatch, parseAnswer, type RequestRecord } from './records.js';
import type { Scenario } from './scenario.js';
import { configOf, type RegistryState, registryOf } from './settings.js';
import { SimulatedBroker } from './simulated-broker.js';
import { SimulatedBrokerLink } from './simulated-broker-link.js';
import { SimulatedRedis } from './simulated-redis.js';
import { SimulatedRedisClient } from './simulated-redis-client.js';
import type { VirtualTime } from './virtual-time.js';

/** Something that is wrong. */
export interface Violation {
  /** What was promised: one word for each check. */
  readonly check: string;
  readonly what: string;
}

/** The world. */
export class World {
  readonly redis: SimulatedRedis;
  readonly broker: SimulatedBroker;
  readonly slots: readonly GatewaySlot[];
  readonly requests: RequestRecord[] = [];
  readonly violations: Violation[] = [];
  /** What was in force when, for the checks of temporary refusals. */
  readonly registries: { readonly at: number; readonly gateway: string; readonly state: RegistryState }[] =
    [];
  /** All lives of all gateways. */
  readonly processes: Process[] = [];
  /** Each change of a quota counter. */
  readonly counters: { readonly at: number; readonly key: string; readonly units: number }[] = [];
  /** Milliseconds of one way through the network. */
  latency: number;
  /** Settlements that a process has logged as given up. */
  readonly #givenUp = new Map<Process, number>();
  readonly #leases = new LeaseWatch(this);
  readonly #latencies = new Map<string, Choices>();
  #requestIds = 0;
  /** Gateways that were killed. */
  deaths = 0;

  constructor(
    readonly seed: number,
    readonly scenario: Scenario,
    readonly time: VirtualTime,
    readonly failures: InjectedFailures,
    readonly trace: (line: string) => void,
  ) {
    this.redis = new SimulatedRedis(time, scenario.epochMs);
    this.broker = new SimulatedBroker(time);
    this.latency = scenario.latency;
    this.redis.onExecuted = (process, command, words, reply) => {
      this.#leases.executed(process, command, words, reply);
    };
    this.redis.data.onChange = (key, value) => {
      if (key.startsWith('quota:')) this.counters.push({ at: time.now, key, units: Number(value ?? 0) });
    };
    const registry: RegistryState = {
      quota: scenario.quota,
      perSecond: scenario.perSecond,
      alpha: true,
      beta: true,
    };
    this.slots = Array.from(
      { length: scenario.gateways },
      (_, index) => new GatewaySlot(`g${index + 1}`, registry),
    );
    for (const slot of this.slots) {
      this.start(slot);
    }
  }

  /** Milliseconds of one way, now. @param who each process and each sender has a stream of its own */
  oneWay(who: string): number {
    let choices = this.#latencies.get(who);
    if (choices === undefined) {
      choices = new Choices(this.seed, `${who}/latency`);
      this.#latencies.set(who, choices);
    }
    return this.latency * (0.7 + 0.6 * choices.next());
  }

  /** Returns an id for a new request: 32 hex digits. */
  newRequestId(): string {
    this.#requestIds += 1;
    return `a${this.#requestIds.toString(16).padStart(31, '0')}`;
  }

  /** Begins a life. */
  start(slot: GatewaySlot): void {
    slot.lives += 1;
    const { seed, scenario, time, failures } = this;
    const name = `${slot.name}.${slot.lives}`;
    const process = new Process({
      name,
      time,
      seed,
      failures,
      rates: scenario.steps,
      epochMs: scenario.epochMs,
      wallClockSkew: () => slot.wallClockSkew,
      onKilled: () => this.died(slot, process),
    });
    this.processes.push(process);
    this.registries.push({ at: time.now, gateway: slot.name, state: slot.registry });
    this.trace(`${name} starts`);
    process.input(time.now, () => {
      const { commandFailures, messageFailures } = scenario;
      const redis = new SimulatedRedisClient({
        server: this.redis,
        process,
        seed,
        failurePoint: failures.point(`${name}/to-redis`, commandFailures.rate),
        kinds: commandFailures.kinds,
        latency: () => this.oneWay(name),
        trace: this.trace,
      });
      const broker = new SimulatedBrokerLink({
        broker: this.broker,
        process,
        seed,
        failurePoint: failures.point(`${name}/to-broker`, messageFailures.rate),
        kinds: messageFailures.kinds,
        latency: () => this.oneWay(name),
        onPublish: (key) => this.#leases.published(process, key),
        trace: this.trace,
      });
      slot.redis = redis;
      slot.gateway = new SimulatedGateway({
        process,
        config: configOf(scenario.settings),
        registry: registryOf(slot.registry),
        redis,
        broker,
        background: scenario.background,
        onLogLine: (line) => this.#logged(process, line),
      });
    });
  }

  /** Kills a gateway; it comes back after a while. */
  kill(slot: GatewaySlot): void {
    const { gateway } = slot;
    if (gateway === undefined || !gateway.process.alive) return;
    gateway.process.kill();
    this.died(slot, gateway.process);
  }

  /** What follows from a death: connections end, senders hear nothing more, a new life begins. */
  died(slot: GatewaySlot, process: Process): void {
    this.trace(`${process.name} dies`);
    this.deaths += 1;
    slot.gateway = undefined;
    for (const connection of [...this.redis.connections]) if (connection.of(process)) connection.cut(0);
    for (const connection of [...this.broker.connections]) if (connection.of(process)) connection.cut(0);
    for (const request of this.requests) {
      if (request.process === process && request.answeredAt === undefined) this.#died(request);
    }
    const pause = new Choices(this.seed, `${process.name}/restart`).skewed(100, 6000);
    this.time.after(pause, () => this.start(slot));
  }

  /** Ends a gateway in order; it comes back after a while. @param comesBack false = at the end of the history */
  stop(slot: GatewaySlot, comesBack = true): void {
    const { gateway } = slot;
    if (gateway === undefined || !gateway.listening) return;
    const { process } = gateway;
    this.trace(`${process.name} begins to end in order`);
    process.input(this.time.now, () => {
      gateway.stop().then(
        ({ givenUp }) => {
          if (!process.alive) return;
          this.trace(`${process.name} has ended in order`);
          this.#checkEnded(gateway, slot);
          const lines = this.#givenUp.get(process) ?? 0;
          if (givenUp !== lines) {
            this.violated('log', `${process.name} has given ${givenUp} settlements up, and logged ${lines}`);
          }
          process.kill();
          this.#ended(slot, gateway, comesBack);
        },
        (error: unknown) => this.violated('shutdown', `${process.name} failed to end: ${String(error)}`),
      );
    });
    // SHUTDOWN_TIMEOUT_MS
    this.time.after(10_000, () => {
      if (!process.alive || slot.gateway !== gateway) return;
      if (process.frozenWithin(0, this.time.now) === 0 && this.scenario.settings.redisTimeoutMs < 2000) {
        this.violated('shutdown', `${process.name} did not end within 10 s`);
      }
      process.kill();
      this.#ended(slot, gateway, comesBack);
    });
  }

  #ended(slot: GatewaySlot, gateway: SimulatedGateway, comesBack: boolean): void {
    slot.gateway = undefined;
    for (const request of this.requests) {
      if (request.process === gateway.process && request.answeredAt === undefined) this.#died(request);
    }
    if (comesBack) this.time.after(500, () => this.start(slot));
  }

  /** Puts other clients or providers in force, at each gateway at a slightly different moment. */
  reload(change: Partial<RegistryState>, choices: Choices): void {
    for (const slot of this.slots) {
      this.time.after(choices.skewed(0, 300), () => {
        slot.registry = { ...slot.registry, ...change };
        const { gateway, registry: state } = slot;
        const inForce = (): void => {
          this.registries.push({ at: this.time.now, gateway: slot.name, state });
          this.trace(`${slot.name} reloads: ${JSON.stringify(change)}`);
        };
        if (gateway?.process.alive !== true) inForce();
        else {
          gateway.process.input(this.time.now, () => {
            gateway.reload(registryOf(state));
            inForce();
          });
        }
      });
    }
  }

  /** Sends a request to a gateway. @param records what is asked in it: one, or the items of a batch, in their order */
  send(
    records: readonly RequestRecord[],
    request: SentRequest,
    slot: GatewaySlot,
    onAnswer: (record: RequestRecord) => void,
  ): void {
    const [first] = records;
    if (first === undefined) return;
    const { id, sender } = first;
    this.requests.push(...records);
    for (const record of records) {
      record.sentAs = id;
      this.trace(
        `${record.sender} sends ${record.id} (${record.key ?? 'no key'}, ${record.body}) to ${slot.name}${
          request.path === BATCH_PATH ? `, in a batch of ${records.length}` : ''
        }`,
      );
    }
    const told = (record: RequestRecord): void => {
      this.time.after(this.oneWay(sender), () => onAnswer(record));
    };
    this.time.after(this.oneWay(sender), () => {
      const { gateway } = slot;
      if (gateway === undefined || !gateway.process.alive || !gateway.listening) {
        for (const record of records) {
          record.died = true;
          told(record);
        }
        return;
      }
      const { process } = gateway;
      for (const record of records) {
        record.process = process;
        record.arrivedAt = this.time.now;
        record.onAnswer = () => told(record);
      }
      process.input(this.time.now, () => {
        process.pass('request');
        if (!process.alive) return;
        if (!gateway.listening) {
          for (const record of records) this.#died(record);
          return;
        }
        gateway.handle({ id, ...request }).then(
          (answer) => {
            process.pass('answer');
            process.output(() => {
              const answers = request.path === BATCH_PATH ? answersOfBatch(answer) : [answer];
              records.forEach((record, index) => {
                const own = answers[index];
                if (own !== undefined) this.#answered(record, own);
              });
            });
          },
          (error: unknown) => this.violated('answers', `${id} was not answered: ${String(error)}`),
        );
      });
    });
  }

  violated(check: string, what: string): void {
    this.trace(`VIOLATION ${check}: ${what}`);
    this.violations.push({ check, what });
  }

  #answered(record: RequestRecord, answer: SimulatedAnswer): void {
    record.answeredAt = this.time.now;
    record.answer = parseAnswer(answer);
    const { status, accepted, trackingId } = record.answer;
    this.trace(
      `${record.id} is answered ${status} ${accepted ?? record.answer.code ?? ''} ${trackingId ?? ''}`,
    );
    record.onAnswer?.();
  }

  #died(record: RequestRecord): void {
    if (record.died === true) return;
    record.died = true;
    record.onAnswer?.();
  }

  /** Nothing of an orderly end is left behind: nothing waits. */
  #checkEnded(gateway: SimulatedGateway, slot: GatewaySlot): void {
    const { process, settlement, publisher } = gateway;
    const waiting = settlement.waiting + publisher.inFlight + (slot.redis?.commandQueue.length ?? 0);
    if (waiting > 0) this.violated('shutdown', `${process.name} has ended with ${waiting} things that wait`);
  }

  /** What a log line may not say, and what it must. */
  #logged(process: Process, line: string): void {
    if (!process.alive) return;
    if (
      /"type":"(?:TypeError|RangeError|ReferenceError)"/.test(line) ||
      line.includes('its header does not name')
    ) {
      this.violated('faults', `${process.name} logs ${line}`);
    }
    if (line.includes('settlement.failed')) {
      this.#givenUp.set(process, (this.#givenUp.get(process) ?? 0) + 1);
      this.trace(`${process.name} gives a settlement up: ${line.trim().slice(0, 300)}`);
      if (!line.includes('"client"'))
        this.violated('log', `a settlement is given up without a name: ${line}`);
    }
  }
}
