/** The page of metrics, made in slices: what prom-client would have written, and the event loop turns meanwhile. */
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import test from 'ava';
import { Counter, Gauge, Histogram, Registry, Summary } from 'prom-client';
import { createMetrics } from '../../../src/metrics.js';
import { SeriesCounter, SeriesGauge } from '../../../src/operations/metric-series.js';
import { metricsText } from '../../../src/operations/metrics-text.js';

async function piecesOf(registry: Registry): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of metricsText(registry)) pieces.push(piece);
  return pieces;
}

const textOf = async (registry: Registry): Promise<string> => (await piecesOf(registry)).join('');

function filled(series: number): Registry {
  const registry = new Registry();
  const registers = [registry];
  const counter = new Counter({
    name: 'a_total',
    help: 'One\\two\nlines',
    labelNames: ['client', 'x'],
    registers,
  });
  const gauge = new Gauge({ name: 'b', help: '"quoted"', registers });
  const many = new SeriesGauge({ name: 'many', help: 'Many', labelNames: ['client'], registers });
  const each = new SeriesCounter({
    name: 'each_total',
    help: 'Each',
    labelNames: ['client', 'x'],
    registers,
  });
  const histogram = new Histogram({
    name: 'c',
    help: 'c',
    labelNames: ['kind'],
    buckets: [0.1, 1],
    registers,
  });
  const summary = new Summary({ name: 'd', help: 'd', percentiles: [0.5, 0.99], registers });
  new Counter({ name: 'e_total', help: 'Without a series', labelNames: ['x'], registers });
  for (const client of ['a"b', 'back\\slash', 'new\nline', 'ünï 😀', '']) {
    counter.inc({ client, x: '1' }, 2.5);
    each.labels(client, '1').inc();
    each.inc({ client, x: '1' }, 1.5);
    each.inc({ client, x: '2' }, 0);
  }
  gauge.set(Number.POSITIVE_INFINITY);
  for (let n = 0; n < series; n += 1) many.set({ client: `Client ${n}` }, n);
  for (const value of [0.05, 0.5, 5]) {
    histogram.observe({ kind: 'sms' }, value);
    summary.observe(value);
  }
  return registry;
}

for (const series of [0, 1, 490, 500, 5000]) {
  test(`metrics text: every kind of metric, and ${series} series of one -> as prom-client writes it`, async (t) => {
    const registry = filled(series);
    t.is(await textOf(registry), await registry.metrics());
  });
}

for (const series of [100, 249, 250, 499]) {
  test(`metrics text: eight metrics of ${series} series, one behind the other -> 250 lines in a turn, and few more`, async (t) => {
    const registers = [new Registry()];
    for (let metric = 0; metric < 8; metric += 1) {
      const gauge = new SeriesGauge({ name: `g${metric}`, help: 'g', labelNames: ['client'], registers });
      for (let n = 0; n < series; n += 1) gauge.set({ client: `Client ${n}` }, n);
    }
    const [registry = new Registry()] = registers;
    const pieces = await piecesOf(registry);
    const lines = pieces.map((piece) => piece.match(/^g\d/gm)?.length ?? 0);
    t.is(Math.max(...lines), 250);
    t.is(
      lines.reduce((sum, count) => sum + count, 0),
      8 * series,
    );
  });
}

test('client metrics: the same labels by child, object and again -> one series; removed and reset -> gone, and from 0', async (t) => {
  const registers = [new Registry()];
  const counter = new SeriesCounter({ name: 'c_total', help: 'c', labelNames: ['client'], registers });
  const child = counter.labels('One');
  child.inc();
  child.inc(2);
  counter.inc({ client: 'One' });
  t.deepEqual(
    [...counter.series()].map(({ value }) => value),
    [4],
  );
  counter.reset();
  child.inc();
  t.deepEqual((await counter.get()).values, [{ labels: { client: 'One' }, value: 1 }]);
  t.throws(() => counter.inc(1), { message: /labels/ });

  const gauge = new SeriesGauge({ name: 'g', help: 'g', labelNames: ['client'], registers });
  const labels = { client: 'One' };
  gauge.set(labels, 5);
  gauge.set({ client: 'Two' }, 6);
  gauge.remove({ client: 'One' });
  t.deepEqual(
    [...gauge.series()].map(({ lineStart, value }) => lineStart + value),
    ['g{client="Two"} 6'],
  );
  gauge.set(labels, 7);
  t.deepEqual(
    [...gauge.series()].map(({ value }) => value),
    [6, 7],
  );
});

test('client metrics: labels that are one object again and again are remembered by it; others are not: a WeakMap stops all while it grows', (t) => {
  const registers = [new Registry()];
  const counter = new SeriesCounter({ name: 'c_total', help: 'c', labelNames: ['client'], registers });
  const gauge = new SeriesGauge({ name: 'g', help: 'g', labelNames: ['client'], registers });
  const { set } = WeakMap.prototype;
  const remembered: WeakKey[] = [];
  WeakMap.prototype.set = function (key, value) {
    remembered.push(key);
    return set.call(this, key, value);
  };
  const kept = { client: 'One' };
  try {
    counter.inc({ client: 'One' });
    gauge.set({ client: 'One' }, 1);
    const child = counter.kept(kept);
    child.inc();
    child.inc();
    gauge.setKept(kept, 2);
    gauge.setKept(kept, 3);
  } finally {
    WeakMap.prototype.set = set;
  }
  t.deepEqual(remembered, [kept, kept]);
  t.deepEqual(
    [...counter.series(), ...gauge.series()].map(({ value }) => value),
    [3, 3],
  );
  counter.reset();
  counter.kept(kept).inc();
  t.deepEqual(
    [...counter.series()].map(({ value }) => value),
    [1],
  );
});

test('metrics text: -Inf and NaN -> in the words of Prometheus', async (t) => {
  const registry = new Registry();
  const gauge = new Gauge({ name: 'g', help: 'g', labelNames: ['x'], registers: [registry] });
  gauge.set({ x: '1' }, Number.NEGATIVE_INFINITY);
  gauge.set({ x: '2' }, Number.NaN);
  t.regex(await textOf(registry), /^g\{x="1"\} -Inf\ng\{x="2"\} NaN$/m);
});

test('metrics text: all metrics of the gateway -> the names and types that prom-client writes', async (t) => {
  const { registry } = createMetrics();
  const headOf = (text: string) => text.split('\n').filter((line) => line.startsWith('#'));
  t.deepEqual(headOf(await textOf(registry)), headOf(await registry.metrics()));
});

test('metrics text: 60,000 series -> the event loop turns a hundred times meanwhile', async (t) => {
  const registry = filled(60_000);
  let turns = 0;
  let done = false;
  const watch = (async () => {
    while (!done) {
      await turnOfTheLoop();
      turns += 1;
    }
  })();
  const pieces = await piecesOf(registry);
  done = true;
  await watch;
  t.true(turns > 100, `${turns}`);
  for (const piece of pieces) t.true(piece.length < 64 * 1024);
});

test('metrics text: a gauge is reset and set anew while it is written -> no series stands there twice', async (t) => {
  const registry = new Registry();
  const gauge = new SeriesGauge({ name: 'g', help: 'g', labelNames: ['client'], registers: [registry] });
  const setAll = (): void => {
    for (let n = 0; n < 2000; n += 1) gauge.set({ client: `${n}` }, n);
  };
  setAll();
  const pieces: string[] = [];
  for await (const piece of metricsText(registry)) {
    // A reload comes behind the first piece.
    if (pieces.length === 0) {
      gauge.reset();
      setAll();
    }
    pieces.push(piece);
  }
  t.true(pieces.length > 1);
  const lines = pieces.join('').match(/^g\{.*$/gm) ?? [];
  t.is(lines.length, 2000);
  t.is(new Set(lines).size, 2000);
});

test('metrics text: a client goes and comes back while its gauge is written -> no series stands there twice; later pages have it', async (t) => {
  const registry = new Registry();
  const gauge = new SeriesGauge({ name: 'g', help: 'g', labelNames: ['client'], registers: [registry] });
  for (let n = 0; n < 2000; n += 1) gauge.set({ client: `${n}` }, 0);
  const linesOf = (text: string): string[] => text.match(/^g\{.*$/gm) ?? [];
  const pieces: string[] = [];
  for await (const piece of metricsText(registry)) {
    // Two reloads come behind the first piece: one takes the client out, the other one brings it back.
    if (pieces.length === 0) {
      for (const value of [1, 2]) {
        gauge.remove({ client: '0' });
        gauge.remove({ client: '1999' });
        gauge.set({ client: '0' }, value);
      }
    }
    pieces.push(piece);
  }
  const names = linesOf(pieces.join('')).map((line) => line.split(' ')[0]);
  t.is(new Set(names).size, names.length);
  const later = linesOf(await textOf(registry));
  t.is(later.length, 1999);
  t.true(later.includes('g{client="0"} 2'));
});
