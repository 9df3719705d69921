/** The gateway beside what a user would have built: the same service in the stack that its specification names. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as yup from 'yup';
import { at, inWords } from './comparison.js';
import type { Bench, Outcome } from './experiment.js';
import { interleave, ratio, type Slice, spread } from './measure.js';
import { KEYED, UNKEYED } from './requests.js';
import { fixed, table } from './table.js';
import type { Target } from './target.js';

/** Its program. */
export const PEER = fileURLToPath(new URL('peer/app.py', import.meta.url));
/** The system's Python, which has the system's packages whatever else stands first on PATH. */
export const DEFAULT_PYTHON = '/usr/bin/python3';
const VERSIONS = fileURLToPath(new URL('peer/versions.py', import.meta.url));
/** What provides all that it needs on Debian 12 or newer. */
const PACKAGES =
  'python3-fastapi python3-uvicorn python3-uvloop python3-httptools python3-redis python3-hiredis ' +
  'python3-aio-pika python3-prometheus-client python3-pythonjsonlogger';

const versions = yup
  .object({
    python: yup.string().required(),
    found: yup.object().required(),
    missing: yup.array(yup.string().required()).required(),
  })
  .required();

/** Returns which versions it would run with, or in one sentence what it misses. */
async function whatIsThere(
  python: string,
): Promise<{ readonly versions: string } | { readonly missing: string }> {
  const install = `please install ${PACKAGES} with apt-get, or name a Python that has them with --python.`;
  let answer: string;
  try {
    answer = execFileSync(python, [VERSIONS], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return { missing: `The peer needs Python 3.10 or newer, and ${python} is none: ${install}` };
  }
  const { python: itself, found, missing } = await versions.validate(JSON.parse(answer));
  if (missing.length > 0) return { missing: `The peer misses ${missing.join(', ')}: ${install}` };
  const packages = Object.entries(found).map(([name, version]) => `${name} ${version}`);
  return { versions: `Python ${itself}, ${packages.join(', ')}` };
}

const answered = yup.object({ tracking_id: yup.string().required() }).required();

/**
 * Sends one message twice with one key, and looks into the queue.
 *
 * @throws when it is not accepted, not replayed, or not there exactly once: then there would be nothing to compare
 */
async function provesItsWork(target: Target): Promise<void> {
  const request = KEYED.request(`proof-${target.port}`)(0);
  const [head = '', body = ''] = request.split('\r\n\r\n');
  const headers = head
    .split('\r\n')
    .slice(1)
    .map((line) => line.split(': '))
    .map(([name = '', value = '']): [string, string] => [name, value])
    .filter(([name]) => !/^(?:host|content-length)$/i.test(name));
  const send = async (): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${target.port}/api/v1/sms/send`, {
      method: 'POST',
      headers,
      body,
    });
    const text = await answer.text();
    if (answer.status !== 202) throw new Error(`${target.name} answers ${answer.status}: ${text}`);
    return (await answered.validate(JSON.parse(text))).tracking_id;
  };
  await target.emptyQueue();
  const [first, second] = [await send(), await send()];
  if (first !== second) throw new Error(`${target.name} does not replay an answer`);
  const messages = await target.takeMessages();
  const [message = ''] = messages;
  if (messages.length !== 1 || !message.includes(first))
    throw new Error(`${target.name} has put ${messages.length} messages for ${first} into its queue`);
}

const HEAD = [
  ...['variant', 'CPU µs', '95 %', 'Redis', 'RabbitMQ'],
  ...['per s', 'p50 ms', 'p99 ms', 'RSS MiB'],
];

function row(name: string, slices: readonly Slice[]): string[] {
  const of = (pick: (one: Slice) => number): ReturnType<typeof spread> => spread(slices.map(pick));
  const cost = of((one) => one.cpuUs);
  return [
    name,
    fixed(cost.median),
    `${fixed(cost.low)}–${fixed(cost.high)}`,
    fixed(of((one) => one.redisUs).median),
    fixed(of((one) => one.rabbitmqUs).median),
    fixed(of((one) => one.perSecond).median, 0),
    fixed(of((one) => one.p50Ms).median),
    fixed(of((one) => one.p99Ms).median),
    fixed(of((one) => one.rssMiB).median, 0),
  ];
}

/** Figures whose ratio is told. */
const FIGURES: readonly (readonly [string, (one: Slice) => number])[] = [
  ['CPU', (one) => one.cpuUs],
  ['CPU of all three', (one) => one.cpuUs + one.redisUs + one.rabbitmqUs],
  ['requests a second', (one) => one.perSecond],
  ['p50', (one) => one.p50Ms],
  ['p99', (one) => one.p99Ms],
  ['RSS', (one) => one.rssMiB],
];

/** The gateway, the peer and the floor, with and without a key, in turn. */
export async function peer(bench: Bench): Promise<Outcome> {
  const there = await whatIsThere(bench.python);
  if ('missing' in there) return { table: there.missing, figures: {} };
  const targets = [await bench.gateway(), await bench.peer(), await bench.floor()];
  for (const target of targets.slice(0, 2)) await provesItsWork(target);
  const variants = [KEYED, UNKEYED].flatMap((kind) => targets.map((target) => at(target, kind)));
  const slices = await interleave(variants, bench.rounds, bench.sliceMs, bench.progress);
  await Promise.all(targets.map((target) => target.stop()));
  const [keyed = [], peerKeyed = [], , unkeyed = [], peerUnkeyed = []] = slices;
  const ratios = FIGURES.map(([name, of]) => ({
    name,
    keyed: ratio(keyed, peerKeyed, of),
    unkeyed: ratio(unkeyed, peerUnkeyed, of),
  }));
  const rows = slices.map((each, n) => row(`${variants[n]?.target.name}, ${variants[n]?.kind.name}`, each));
  const compared = table(
    'Gateway/peer',
    ['figure', 'keyed', 'unkeyed'],
    ratios.map((one) => [one.name, inWords(one.keyed), inWords(one.unkeyed)]),
  );
  return {
    table: `${table('Gateway and peer', HEAD, rows)}\n\nThe peer ran with ${there.versions}.\n\n${compared}`,
    figures: { slices, ratios, versions: there.versions },
  };
}
