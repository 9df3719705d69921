/** Two RabbitMQ nodes, of which one stops answering: seen from a gateway, whatever it is doing at the time. */
import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import type { Gateway } from '../support/gateway.js';
import { newBody, Site } from '../support/site.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { RABBITMQ_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

/** A gateway with two ways to the broker, and the one that it has taken. */
async function gatewayOfTwoNodes(
  t: ExecutionContext,
): Promise<{ site: Site; gateway: Gateway; used: TcpProxy; other: TcpProxy }> {
  const site = new Site();
  t.teardown(() => site.close());
  const [one, two] = await Promise.all([startTcpProxy(RABBITMQ_URL), startTcpProxy(RABBITMQ_URL)]);
  t.teardown(() => Promise.all([one.close(), two.close()]));
  const gateway = await site.startGateway({ RABBITMQ_URL: `${one.url},${two.url}` });
  const [used, other] = one.open() > 0 ? [one, two] : [two, one];
  return { site, gateway, used, other };
}

const leftFor = (gateway: Gateway, node: TcpProxy, reason: string) =>
  waitFor(
    'a node that is left',
    () =>
      gateway.log.find(
        (line) =>
          line['message'] === 'rabbitmq.node_left' &&
          line['node'] === `127.0.0.1:${node.port}` &&
          line['reason'] === reason,
      ),
    { withinMs: 30_000 },
  );

test('frozen node: nothing is sent, and a balancer asks for readiness -> the node is left, ready again on the other', async (t) => {
  const { site, gateway, used, other } = await gatewayOfTwoNodes(t);
  used.stall();
  await waitFor('not ready', async () => (await gateway.ask('/readyz')).status === 503);
  await leftFor(gateway, used, 'no answer');
  await gateway.untilReady();
  t.true(other.open() > 0);
  t.is((await gateway.send({ apiKey: site.apiKey('main'), body: newBody() })).status, 202);
});

test('frozen node: its answers vanish while messages are sent -> left, 202 by the other, each key with one id', async (t) => {
  const { site, gateway, used } = await gatewayOfTwoNodes(t);
  const question = { apiKey: site.apiKey('main'), idempotencyKey: randomUUID(), body: newBody() };
  used.stallAnswers();
  const first = await gateway.send(question);
  t.is(first.status, 500);
  await leftFor(gateway, used, 'no answer');
  const again = await waitFor(
    'a 202',
    async () => {
      const answer = await gateway.send(question);
      return answer.status === 202 && answer;
    },
    { withinMs: 30_000 },
  );
  t.is(again.json['tracking_id'], first.json['tracking_id']);
});

test('frozen node: both freeze, one thaws -> the gateway finds it by itself', async (t) => {
  const { site, gateway, used, other } = await gatewayOfTwoNodes(t);
  used.stall();
  other.stall();
  await waitFor('not ready', async () => (await gateway.ask('/readyz')).status === 503);
  await leftFor(gateway, used, 'no answer');
  t.is((await gateway.send({ apiKey: site.apiKey('main'), body: newBody() })).status, 500);
  other.resume();
  await gateway.untilReady({ withinMs: 60_000 });
  t.is((await gateway.send({ apiKey: site.apiKey('main'), body: newBody() })).status, 202);
});
