/** The balancers of deploy/: gateways are replaced under load, and no sender sees it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { type BalancerKind, startBalancer } from '../../dev/services/balancer.js';
import { findFreePort } from '../../dev/services/free-port.js';
import type { Gateway } from '../support/gateway.js';
import { SEND_PATH } from '../support/paths.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const SENDERS = 32;

const site = new Site({ clients: { haproxy: {}, nginx: {} } });
const folder = await mkdtemp(join(tmpdir(), 'gateway-test-balancers-'));

test.after.always(async () => {
  await site.close();
  await rm(folder, { recursive: true, force: true });
});

for (const kind of ['haproxy', 'nginx'] as const) {
  test.serial(
    `${kind}: each of two gateways replaced in turn under ${SENDERS} busy connections -> every request accepted, not one reset`,
    async (t) => {
      const ports = [await findFreePort(), await findFreePort()];
      const gateways = await Promise.all(ports.map(start));
      const balancer = await startBalancer(kind, join(folder, kind), ports);
      t.teardown(() => balancer.stop());
      const senders = new Senders(kind, balancer.port);
      await waitFor('answers', () => senders.count > 200);
      await Promise.all(gateways.map(untilUsed));
      for (const [index, port] of ports.entries()) {
        t.is((await gateways[index]?.stop())?.code, 0);
        const before = senders.count;
        await waitFor('answers by the other', () => senders.count > before + 100);
        const fresh = await start(port);
        gateways[index] = fresh;
        await untilUsed(fresh);
      }
      const before = senders.count;
      await waitFor('answers by both', () => senders.count > before + 200);
      await senders.stop();
      const { '500 unknown': late = 0, ...others } = senders.outcomes;
      t.log(`${senders.count} requests, ${late} without a confirm in time`);
      t.deepEqual(others, { 202: senders.count - late });
      // On a busy machine a confirm may be late. That says nothing of the balancer, unless it is the rule.
      t.true(late < senders.count / 100);
      await Promise.all(gateways.map((gateway) => gateway.stop()));
    },
  );

  test.serial(`${kind}: /readyz and /metrics -> not for senders; /healthz -> passed on`, async (t) => {
    const gateway = await site.startGateway();
    const balancer = await startBalancer(kind, join(folder, `${kind}-paths`), [gateway.port]);
    t.teardown(() => balancer.stop());
    const statusOf = async (path: string) => (await fetch(`http://127.0.0.1:${balancer.port}${path}`)).status;
    t.is(await statusOf('/readyz'), 404);
    t.is(await statusOf('/metrics'), 404);
    t.is(await statusOf('/healthz'), 200);
  });
}

/** Long limits: on a busy machine no answer may be late, and the balancer may look late. */
function start(port: number): Promise<Gateway> {
  const limits = { REDIS_TIMEOUT_MS: '2000', PUBLISH_TIMEOUT_MS: '2400', SHUTDOWN_DELAY_MS: '4000' };
  return site.startGateway({ SERVER_A_PORT: String(port), ...limits });
}

/** Waits until the balancer has found that a gateway is ready: before that, it may be the last one to be taken away. */
function untilUsed(gateway: Gateway): Promise<unknown> {
  return waitFor(
    'requests by way of the balancer',
    async () => /sms_send_requests_total\{.*\} [1-9]/.test((await gateway.ask('/metrics')).text),
    { withinMs: 30_000 },
  );
}

/** Busy senders with kept-alive connections and no keys: nothing of theirs may be sent anew. */
class Senders {
  /** Answers by status (with `details.accepted` of a 500), failures by code. */
  readonly outcomes: Record<string, number> = {};
  count = 0;
  #stopped = false;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: SENDERS });
  readonly #running: Promise<void>[];
  readonly #client: BalancerKind;
  readonly #port: number;

  constructor(client: BalancerKind, port: number) {
    this.#client = client;
    this.#port = port;
    this.#running = Array.from({ length: SENDERS }, () => this.#run());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
    this.#agent.destroy();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const outcome = await this.#send();
      this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
      this.count += 1;
    }
  }

  #send(): Promise<string> {
    return new Promise((resolve) => {
      const failed = (error: NodeJS.ErrnoException): void => resolve(error.code ?? error.message);
      const outgoing = request(
        {
          agent: this.#agent,
          host: '127.0.0.1',
          port: this.#port,
          path: SEND_PATH,
          method: 'POST',
          headers: { 'API-Key': site.apiKey(this.#client), 'Content-Type': 'application/json' },
        },
        (incoming) => {
          let body = '';
          incoming.on('error', failed);
          incoming.setEncoding('utf8').on('data', (piece: string) => {
            body += piece;
          });
          incoming.on('end', () => {
            const { statusCode = 0 } = incoming;
            const accepted = statusCode === 500 ? ` ${/"accepted":"(\w+)"/.exec(body)?.[1]}` : '';
            resolve(`${statusCode}${accepted}`);
          });
        },
      );
      outgoing.on('error', failed);
      outgoing.end(JSON.stringify(newBody()));
    });
  }
}
