/** A server under measurement: a process, its CPU and its memory. */
import { connect } from 'amqplib';
import * as yup from 'yup';
import { findFreePort } from '../dev/services/free-port.js';
import { GatewayProcess, type Variables } from '../dev/services/gateway-process.js';
import type { PrivateServices } from '../dev/services/private-services.js';
import { untilReady } from '../dev/services/until-ready.js';
import { SERVER_CORE } from './cores.js';
import type { CallFrame } from './parts.js';
import { type ThreadTimes, threadTimes } from './threads.js';

/** Memory of a server, bytes. */
export interface Memory {
  readonly rss: number;
  /** Heap in use after a forced collection. */
  readonly heap: number;
}

/** What the garbage collector did during a load; bytes in all, and microseconds. */
export interface Garbage {
  readonly allocated: number;
  /** Left in the young spaces after scavenges: each scavenge copies it. */
  readonly survived: number;
  /** Moved to the old space by scavenges. */
  readonly promoted: number;
  readonly scavenges: number;
  /** Collections of the whole heap. */
  readonly majors: number;
  readonly pauseUs: number;
}

/** What one function has allocated itself. */
export interface Allocation extends CallFrame {
  readonly bytes: number;
}

const allocations = yup
  .array(
    yup
      .object({
        functionName: yup.string().defined(),
        url: yup.string().defined(),
        lineNumber: yup.number().required(),
        columnNumber: yup.number().required(),
        bytes: yup.number().required(),
      })
      .required(),
  )
  .required();

const latencies = yup.array(yup.number().required()).required();

const probe = yup
  .object({
    allocated: yup.number().required(),
    survived: yup.number().required(),
    promoted: yup.number().required(),
    scavenges: yup.number().required(),
    majors: yup.number().required(),
    pauseUs: yup.number().required(),
  })
  .required();

/** Options of node for a server whose memory is asked for. */
export const PROBED = ['--expose-gc', `--import=${new URL('probe.mjs', import.meta.url).href}`];

/** Milliseconds between two questions whether a server is ready: it is not asked on its own core. */
const ASK_EVERY_MS = 3;

/** What makes a server differ from the gateway. */
export interface TargetOptions {
  readonly nodeArgs?: readonly string[];
  /** Path of another program; default: the built gateway. */
  readonly entryPoint?: string;
  /** The program that runs it, if not the Node.js that runs us. */
  readonly node?: string | undefined;
  /** What it works with, whose CPU is measured beside its own. */
  readonly services?: PrivateServices;
  /** It has no /readyz: any answer will do. */
  readonly anyAnswer?: boolean;
}

/** A server that is measured. */
export class Target {
  readonly name: string;
  readonly port: number;
  /** Milliseconds from its start until it was ready. */
  readonly startMs: number;
  readonly services: PrivateServices | undefined;
  readonly #process: GatewayProcess;
  readonly #queue: string | undefined;

  private constructor(
    name: string,
    port: number,
    process: GatewayProcess,
    startMs: number,
    services: PrivateServices | undefined,
    queue: string | undefined,
  ) {
    this.#queue = queue;
    this.name = name;
    this.services = services;
    this.port = port;
    this.#process = process;
    this.startMs = startMs;
  }

  /** Starts a server on a free port and waits until it is ready. */
  static async start(
    name: string,
    variables: Variables,
    { anyAnswer = false, node, services, ...options }: TargetOptions = {},
  ): Promise<Target> {
    const port = await findFreePort();
    const startedAt = performance.now();
    const server = await GatewayProcess.start(
      { ...variables, SERVER_A_HOST: '127.0.0.1', SERVER_A_PORT: String(port) },
      // Its log is written as in production, to a pipe that is read and thrown away. Modules of its own are found from here.
      {
        ...options,
        ...(node !== undefined && { node }),
        ...(SERVER_CORE !== undefined && { cores: SERVER_CORE }),
        cwd: process.cwd(),
        output: 'discard',
        channel: true,
      },
    );
    await untilReady(server, `http://127.0.0.1:${port}`, { anyAnswer, everyMs: ASK_EVERY_MS });
    const startMs = performance.now() - startedAt;
    return new Target(name, port, server, startMs, services, variables['RABBITMQ_OUTBOUND_QUEUE']);
  }

  /** Microseconds of CPU, user and system, that the process has used so far, by thread. */
  times(): ThreadTimes {
    return threadTimes(this.#process.pid);
  }

  /**
   * Takes away the messages that it has sent. Nobody consumes them: without this, each slice would be measured with a longer
   * queue than the one before.
   */
  async emptyQueue(): Promise<void> {
    if (this.services === undefined || this.#queue === undefined) return;
    const connection = await connect(this.services.rabbitmq.url);
    const channel = await connection.createChannel();
    await channel.purgeQueue(this.#queue);
    await connection.close();
  }

  /** Takes the messages that it has sent, and returns what they say. */
  async takeMessages(): Promise<readonly string[]> {
    const texts: string[] = [];
    if (this.services === undefined || this.#queue === undefined) return texts;
    const connection = await connect(this.services.rabbitmq.url);
    const channel = await connection.createChannel();
    for (;;) {
      const message = await channel.get(this.#queue, { noAck: true });
      if (message === false) break;
      texts.push(message.content.toString());
    }
    await connection.close();
    return texts;
  }

  rssBytes(): number {
    return this.#process.residentBytes();
  }

  /** Forces a collection and asks what is left; the server must run with {@link PROBED}. */
  async memory(): Promise<Memory> {
    const heap = await this.#process.ask('memory');
    return { rss: this.rssBytes(), heap: Number(heap) };
  }

  /** Does something, and returns what the garbage collector did meanwhile; the server must run with {@link PROBED}. */
  async garbageOf(work: () => Promise<unknown>): Promise<Garbage> {
    await this.#process.ask('begin');
    await work();
    return probe.validate(await this.#process.ask('end'));
  }

  /** Does something, and returns what was allocated meanwhile, by function; the server must run with {@link PROBED}. */
  async allocationsOf(work: () => Promise<unknown>): Promise<readonly Allocation[]> {
    await this.#process.ask('begin sampling');
    await work();
    return allocations.validate(await this.#process.ask('end sampling'));
  }

  /**
   * Does something, and returns for each request that was `stamped` the milliseconds from when it was written to when it was
   * answered, sorted; the server must run with {@link PROBED}.
   */
  async latenciesOf(work: () => Promise<unknown>): Promise<Float64Array> {
    await this.#process.ask('begin latencies');
    await work();
    return Float64Array.from(await latencies.validate(await this.#process.ask('end latencies'))).sort();
  }

  async stop(): Promise<void> {
    if (this.#process.running) await this.#process.stop();
  }
}
