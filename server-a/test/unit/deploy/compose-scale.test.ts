/** deploy/docker-compose.scale.yml, deploy/haproxy and deploy/nginx: what must fit together. */
import { existsSync, readFileSync } from 'node:fs';
import test from 'ava';
import { parse } from 'yaml';
import { ENVIRONMENT, FILE_VARIABLES } from '../../../src/config/environment.js';
import { asObject } from '../../support/json.js';
import { objectAt } from '../../support/kubernetes.js';

const ROOT = new URL('../../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');
const haproxy = read('deploy/haproxy/haproxy.cfg');
/** Compose's mark for what takes the place of the list of the file below. */
const reset = { tag: '!reset', collection: 'seq' } as const;
const FILES = ['deploy/docker-compose.scale.yml', 'docker-compose.production.yml'] as const;
const servicesOf = (path: string) =>
  objectAt(asObject(parse(read(path), { merge: true, customTags: [reset] })), 'services');
const development = servicesOf('docker-compose.yml');

/** Milliseconds of a span such as `500ms` or `20s`. */
function msOf(span: string | undefined): number {
  const [, number = '', unit = ''] = /^(\d+)(ms|s)$/.exec(span ?? '') ?? [];
  return Number(number) * (unit === 's' ? 1000 : 1);
}

for (const file of FILES) {
  const services = servicesOf(file);
  const gateway = objectAt(services, 'server-a');
  const balancer = objectAt(services, 'balancer');

  test(`compose to scale, ${file}: variables -> those that the gateway reads`, (t) => {
    const known = [
      ...Object.keys(ENVIRONMENT.fields),
      ...FILE_VARIABLES.flatMap((name) => [name, `${name}_FILE`]),
    ];
    t.deepEqual(
      Object.keys(objectAt(gateway, 'environment')).filter((name) => !known.includes(name)),
      [],
    );
  });

  test(`compose to scale, ${file}: delay -> longer than HAProxy needs to notice; grace period -> longer than delay and drain`, (t) => {
    const delayMs = Number(objectAt(gateway, 'environment')['SHUTDOWN_DELAY_MS']);
    const [, inter, fall] = /check inter (\S+) fall (\d+)/.exec(haproxy) ?? [];
    t.true(msOf(inter) * Number(fall) > 0);
    t.true(delayMs > msOf(inter) * Number(fall) + 1000);
    const field = ENVIRONMENT.describe().fields['SHUTDOWN_TIMEOUT_MS'];
    const drainMs = Number(field !== undefined && 'meta' in field ? field.meta?.fallback : Number.NaN);
    t.true(msOf(String(gateway['stop_grace_period'])) > delayMs + drainMs);
  });

  test(`compose to scale, ${file}: files of the balancer -> there; the port -> the one that HAProxy listens on`, (t) => {
    const [volume = ''] = Object(balancer['volumes']);
    const folder = String(volume).split(':')[0] ?? '';
    t.true(existsSync(new URL(`${folder}/haproxy.cfg`, ROOT)));
    const [port = ''] = Object(balancer['ports']);
    t.true(haproxy.includes(`bind :${String(port).split(':').at(-1)}\n`));
    // A second gateway could not have the same port of the machine.
    t.deepEqual(Object(gateway['ports']), []);
  });

  test(`compose to scale, ${file}: the balancer -> in a network with the gateways; sends and asks where they listen`, (t) => {
    const networks: unknown[] = Object(objectAt(development, 'server-a')['networks']);
    t.true(Object(balancer['networks']).every((network: unknown) => networks.includes(network)));
    t.deepEqual(Object(balancer['networks']), ['senders']);
    const ports = { SERVER_A_PORT: 8000, ...Object(gateway['environment']) };
    const told = Object(balancer['environment'] ?? {});
    t.is(told.SENDERS_PORT ?? 8000, ports.SERVER_A_PORT);
    t.is(told.CHECK_PORT ?? 8000, ports.OPERATIONS_PORT ?? ports.SERVER_A_PORT);
    t.regex(
      haproxy,
      / server-a:"\$\{SENDERS_PORT-8000\}" check port "\$\{CHECK_PORT-8000\}" resolvers docker /,
    );
  });
}

test('balancers: a request that may have been served -> never sent anew', (t) => {
  t.regex(haproxy, /^ *retry-on conn-failure$/m);
  t.false(/^ *[^#\n]*non_idempotent/m.test(read('deploy/nginx/nginx.conf')));
});
