/**
 * The drill: are people woken when they must be, and let sleep when nothing is wrong?
 *
 *     npm run drill -w server-a                   # every scene, more than an hour
 *     npm run drill -w server-a -- --only dark,full    # scenes whose titles begin with one of these words
 *
 * Prometheus and Alertmanager run with the files of observe/ as they are, the replicas are found by DNS, and everything is
 * in a network of its own, so that names, addresses and ports are those of docker-compose.yml. Needs Linux with `unshare`
 * and `ip`, and the right to make namespaces.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { NameServer } from './name-server.js';
import type { Scene } from './scene.js';
import { SCENES } from './scenes.js';
import { Stack } from './stack.js';
import { Watchers } from './watchers.js';

const INSIDE = 'DRILL_INSIDE';
const SETTLED_WITHIN_S = 90;
/** Alerts that are right where the machine has too little CPU for everything on it. */
const OF_A_BUSY_MACHINE = new Set(['ServerAEventLoopLag warn', 'ServerAConfirmLatency warn']);
/** Nanoseconds that this program's own event loop may lag on a machine that is not busy. */
const BUSY_NS = 50e6;

/** Runs this program again in a network, and with a list of name servers, of its own. */
async function runInside(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'sms-gateway-drill-'));
  const resolver = join(folder, 'resolv.conf');
  await writeFile(resolver, 'nameserver 127.0.0.1\n');
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const prepare = 'ip link set lo up && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"';
  const program = [
    process.execPath,
    ...process.execArgv,
    fileURLToPath(import.meta.url),
    ...process.argv.slice(2),
  ];
  const child = spawn(
    'unshare',
    [
      ...user,
      '--net',
      '--mount',
      // With the drill, whatever it has started ends, however it ends.
      '--pid',
      '--mount-proc',
      '--fork',
      '--kill-child',
      'sh',
      '-c',
      prepare,
      'drill',
      resolver,
      ...program,
    ],
    { stdio: 'inherit', env: { ...process.env, [INSIDE]: folder } },
  );
  // Ctrl-C reaches the drill inside as well, which ends by itself.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGKILL'));
  try {
    await once(child, 'exit');
    return child.exitCode ?? 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function drill(folder: string, scenes: readonly Scene[]): Promise<number> {
  const names = new NameServer();
  for (const name of ['redis', 'rabbitmq', 'redis-exporter', 'alertmanager']) {
    names.addresses.set(name, ['127.0.0.1']);
  }
  await names.start();
  // First of all, as after a start of the machine: what it watches comes one after the other.
  const watchers = await Watchers.start(join(folder, 'watchers'));
  const stack = await Stack.start(join(folder, 'stack'), names);
  let failures = 0;
  try {
    // The update removes one of three.
    const replicas = scenes.some(({ title }) => title.startsWith('update')) ? 3 : 2;
    await watchers.expect('sms:replicas:expected', replicas);
    for (let n = 0; n < replicas; n += 1) await stack.startReplica();
    await stack.startConsumer();
    const known = new Set(['Watchdog none']);
    for (const scene of scenes) failures += (await play(scene, stack, watchers, known)) ? 0 : 1;
  } finally {
    await Promise.all([stack.stop(), watchers.stop()]);
    names.stop();
  }
  say(failures === 0 ? 'Every scene went as it should.' : `${failures} scenes did not go as they should.`);
  return failures === 0 ? 0 : 1;
}

/** Plays one scene. @param known alerts that fire from before it; those that still fire at its end are added */
async function play(scene: Scene, stack: Stack, watchers: Watchers, known: Set<string>): Promise<boolean> {
  say(`\n${scene.title}`);
  for (const alert of await firing(watchers)) known.add(alert.key);
  const startedAt = performance.now();
  const seconds = (): number => (performance.now() - startedAt) / 1000;
  let begun = false;
  const ending = scene.begin(stack, watchers).finally(() => {
    begun = true;
  });
  const latest = Math.max(scene.watchSeconds ?? 0, ...Object.values(scene.expected));
  const seen = new Map<string, number>();
  const own = monitorEventLoopDelay();
  own.enable();
  const faults: string[] = [];
  const isDone = (): boolean =>
    begun &&
    seconds() >= (scene.watchSeconds ?? 0) &&
    Object.keys(scene.expected).every((key) => seen.has(key) || known.has(key));
  while (seconds() < latest && !isDone()) {
    for (const { key, receiver, inhibited, what } of await firing(watchers)) {
      if (seen.has(key) || known.has(key)) continue;
      seen.set(key, seconds());
      const limit = scene.expected[key];
      const whom = inhibited ? `not sent: another says it` : `sent to ${receiver}`;
      say(`  ${seconds().toFixed(0).padStart(4)} s  ${key}${what} (${whom})`);
      if (OF_A_BUSY_MACHINE.has(key) && limit === undefined && own.percentile(99) > BUSY_NS) {
        say('         this machine is busy: the event loop of the drill lags too');
        continue;
      }
      if (limit === undefined && !scene.allowed?.includes(key)) faults.push(`${key} must not come`);
      if (limit !== undefined && seconds() > limit)
        faults.push(`${key} came after ${seconds().toFixed(0)} s`);
      if (seconds() < (scene.notBefore?.[key] ?? 0)) faults.push(`${key} came too early`);
    }
    await pause(1000);
  }
  for (const key of Object.keys(scene.expected)) {
    if (!seen.has(key) && !known.has(key)) faults.push(`${key} did not come within ${latest} s`);
  }
  await (await ending)();
  for (const fault of faults) say(`  FAULT: ${fault}`);
  if (faults.length === 0)
    say(seen.size === 0 ? `  nothing fired in ${seconds().toFixed(0)} s` : '  as it should be');
  await settle(watchers, known);
  return faults.length === 0;
}

/** Waits a while for alerts to end; those that look back for longer than that are known from now on. */
async function settle(watchers: Watchers, known: Set<string>): Promise<void> {
  const until = performance.now() + SETTLED_WITHIN_S * 1000;
  let left: string[] = [];
  do {
    left = (await firing(watchers)).map(({ key }) => key).filter((key) => key !== 'Watchdog none');
    if (left.length === 0) break;
    await pause(1000);
  } while (performance.now() < until);
  known.clear();
  for (const key of ['Watchdog none', ...left]) known.add(key);
  if (left.length > 0) say(`  still firing: ${[...new Set(left)].join(', ')}`);
}

async function firing(watchers: Watchers) {
  return (await watchers.alerts()).map(({ name, severity, receiver, inhibited, labels }) => ({
    key: `${name} ${severity}`,
    receiver,
    inhibited,
    what: ['instance', 'service', 'queue', 'window']
      .map((label) => (label in labels ? ` ${labels[label]}` : ''))
      .join(''),
  }));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const folder = process.env[INSIDE];
if (folder === undefined) {
  process.exit(await runInside());
} else {
  // The first process of a namespace of its own: signals without a handler do nothing to it.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
  const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } });
  const words = values.only.split(',');
  const scenes = SCENES.filter(({ title }) => words.some((word) => title.startsWith(word)));
  if (scenes.length === 0) throw new Error(`no scene begins with ${values.only}`);
  process.exit(await drill(folder, scenes));
}
