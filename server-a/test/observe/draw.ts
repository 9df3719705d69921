/**
 * Draws the README's pictures of the dashboard: `npm run draw -w server-a`.
 *
 * Two gateways under a mixed load, first undisturbed, then with a Redis that goes away for a while and a consumer that
 * stays away; a real Prometheus with the shipped rules; the queries of the dashboard itself.
 *
 * Over 250 lines: the pictures are one page, drawn from the top to the bottom.
 */
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { init } from 'echarts';
import { PANELS, type Panel, withVariables } from '../support/dashboard.js';
import type { Gateway } from '../support/gateway.js';
import { asList, asObject } from '../support/json.js';
import { Prometheus, type Series } from '../support/prometheus.js';
import { newBody, Site } from '../support/site.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { REDIS_URL } from '../support/test-services.js';
import { startWatchedServices } from '../support/watched-services.js';

const fileOf = (name: string): string =>
  fileURLToPath(new URL(`../../../docs/images/${name}.svg`, import.meta.url));
const STATS = PANELS.filter(({ type }) => type === 'stat');
const SHOWN = [
  'Answers by outcome',
  'Answers by client',
  'Latency',
  'Errors by client',
  'Used and limit',
  'Messages in the queues',
  'In and out',
  'Redis and RabbitMQ',
  'Memory of Redis',
];
const SECONDS = { warmUp: 20, load: 120, redisAwayAt: 50, redisAwayFor: 60 };
const SIZE = { width: 440, height: 270, columns: 3, gap: 12, head: 44, stat: 76, stats: 6 };

const CLIENTS = {
  'Financial Service': { daily_quota: 100_000 },
  Alerts: { daily_quota: 60_000 },
  Bulk: { daily_quota: 40_000 },
};

/** One sender: mostly new messages, now and then a retry, a mistake, a disabled provider. */
async function send(site: Site, client: string, gateways: readonly Gateway[], until: number): Promise<void> {
  for (let n = 0; performance.now() < until; n += 1) {
    const gateway = gateways[n % gateways.length];
    const request = { apiKey: site.apiKey(client), idempotencyKey: randomUUID(), body: newBody() };
    const body =
      n % 31 === 0
        ? { ...request.body, to: '12' }
        : n % 17 === 0
          ? { ...request.body, providers: n % 2 === 0 ? ['Gamma'] : ['Gamma', 'Delta'] }
          : request.body;
    await gateway?.send({ ...request, body });
    if (n % 9 === 0) await gateway?.send({ ...request, body });
    await pause(10 + 30 * Math.random());
  }
}

async function main(): Promise<void> {
  const services = await startWatchedServices();
  const site = new Site({
    clients: CLIENTS,
    variables: {
      HEARTBEAT_INTERVAL_SECONDS: '5',
      RABBITMQ_URL: services.rabbitmqUrl,
      RABBITMQ_OUTBOUND_QUEUE: 'sms.outbound',
      RABBITMQ_HEARTBEAT_QUEUE: 'sms.heartbeat',
    },
  });
  // As in docker-compose.yml: the Redis of the tests keeps nothing, and an alert says so.
  await site.redis.config('SET', 'appendonly', 'yes');
  await site.redis.config('SET', 'maxmemory', '384mb');
  const redis = await startTcpProxy(REDIS_URL);
  const gateways = [
    await site.startGateway({ REDIS_URL: redis.url }),
    await site.startGateway({ REDIS_URL: redis.url }),
  ];
  const consumer = await services.consume('sms.outbound');
  const targets = gateways.map(({ port }) => `127.0.0.1:${port}`);
  replicas.push(...targets);
  const prometheus = await Prometheus.start(targets, { ...services, rules: true });
  const all = 2 * SECONDS.load + SECONDS.warmUp;
  const until = performance.now() + all * 1000;
  const senders = Object.keys(CLIENTS).flatMap((client, index) =>
    Array.from({ length: 3 - index }, () => send(site, client, gateways, until)),
  );
  await pause((SECONDS.warmUp + SECONDS.load) * 1000);
  await picture(prometheus, 'dashboard', 'an ordinary load on two replicas');
  await pause(SECONDS.redisAwayAt * 1000);
  await redis.refuse();
  await consumer.close();
  await pause(SECONDS.redisAwayFor * 1000);
  await picture(
    prometheus,
    'dashboard-outage',
    `an outage: Redis and the consumer are away for the last ${SECONDS.redisAwayFor} s`,
  );
  await redis.accept();
  await Promise.all(senders);
  await prometheus.stop();
  await site.close();
  await redis.close();
  await services.stop();
}

/** Draws the last minutes, up to now. */
async function picture(prometheus: Prometheus, name: string, what: string): Promise<void> {
  const end = Date.now() / 1000;
  const stats: string[] = [];
  for (const panel of STATS) stats.push(await drawStat(prometheus, panel));
  const charts: string[] = [];
  for (const title of SHOWN) {
    const panel = PANELS.find((one) => one.title === title);
    if (panel === undefined) throw new Error(`no panel ${title}`);
    charts.push(await draw(prometheus, panel, end));
  }
  await writeFile(fileOf(name), assemble(`SMS gateway: ${what}`, stats, charts));
}

/** Colours of Grafana, as far as the dashboard names them. */
const COLOURS: Readonly<Record<string, string>> = {
  green: '#56a64b',
  red: '#e02f44',
  orange: '#ff780a',
  blue: '#3274d9',
  yellow: '#f2cc0c',
  purple: '#a352cc',
  gray: '#8e8e8e',
  'dark-red': '#c4162a',
  'dark-orange': '#fa6400',
  'light-orange': '#ffb357',
  'dark-yellow': '#e0b400',
  'dark-green': '#37872d',
  'light-blue': '#8ab8ff',
  'dark-purple': '#8f3bb8',
  'semi-dark-red': '#d44a5a',
  'light-red': '#ff7383',
  'super-light-red': '#ffa6b0',
};

/** Draws one number on the colour of its threshold. */
async function drawStat(prometheus: Prometheus, { title, unit, queries, json }: Panel): Promise<string> {
  const [series] = await prometheus.query(withVariables(queries[0]?.expression ?? '', 10));
  const value = series?.points[0]?.[1];
  const defaults = asObject(asObject(json['fieldConfig'])['defaults']);
  let colour = 'gray';
  for (const step of asList(asObject(defaults['thresholds'])['steps']).map(asObject)) {
    if (value !== undefined && (step['value'] === null || value >= Number(step['value'])))
      colour = String(step['color']);
  }
  const decimals = Number(defaults['decimals'] ?? 0);
  const text =
    value === undefined
      ? 'no data'
      : unit === 'percentunit'
        ? `${(value * 100).toFixed(decimals)}%`
        : `${value.toFixed(decimals)}${unit === 'reqps' ? '/s' : ''}`;
  const width = (SIZE.columns * (SIZE.width + SIZE.gap) - SIZE.gap * SIZE.stats) / SIZE.stats;
  return [
    `<rect width="${width}" height="${SIZE.stat}" rx="3" fill="${COLOURS[colour] ?? '#8e8e8e'}"/>`,
    `<text x="10" y="20" font-family="sans-serif" font-size="12" fill="#fff">${title}</text>`,
    `<text x="${width / 2}" y="58" text-anchor="middle" font-family="sans-serif" font-size="28" font-weight="bold" fill="#fff">${text}</text>`,
  ].join('');
}

/** The colour that a panel gives to a series, if it does. */
function colourOf({ json }: Panel, name: string): string | undefined {
  for (const override of asList(asObject(json['fieldConfig'])['overrides']).map(asObject)) {
    const { id, options } = asObject(override['matcher']);
    const named = id === 'byRegexp' ? / limit$/.test(name) : options === name;
    const [property] = asList(override['properties']).map(asObject);
    if (named && property !== undefined) return COLOURS[String(asObject(property['value'])['fixedColor'])];
  }
  return undefined;
}

const UNITS: Readonly<Record<string, (value: number) => string>> = {
  s: (value) => (value >= 1 ? `${value} s` : `${Math.round(value * 10_000) / 10} ms`),
  bytes: (value) => `${value} MiB`,
  reqps: (value) => `${value}/s`,
  short: (value) => `${value}`,
};

/** Draws one panel as SVG. */
async function draw(prometheus: Prometheus, panel: Panel, end: number): Promise<string> {
  const { title, unit, queries } = panel;
  const lines: { name: string; points: Series['points'] }[] = [];
  for (const { expression, legend } of queries) {
    const asked = withVariables(expression, 10);
    for (const { labels, points } of await prometheus.queryRange(asked, end - SECONDS.load, end, 2)) {
      const name = legend.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => String(labels[label] ?? ''));
      lines.push({ name: name.replace(/127\.0\.0\.1:\d+/, (instance) => replica(instance)), points });
    }
  }
  // So that the axis is divided at round numbers.
  const scale = unit === 'bytes' ? 2 ** 20 : 1;
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: SIZE.width, height: SIZE.height });
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    title: {
      text: title,
      // As Grafana says it: an empty chart looks broken.
      subtext: lines.length === 0 ? 'no data' : '',
      left: 12,
      top: 8,
      textStyle: { fontSize: 14 },
    },
    grid: { left: 62, right: 18, top: 40, bottom: 70 },
    legend: {
      bottom: 4,
      left: 12,
      right: 12,
      icon: 'roundRect',
      itemWidth: 10,
      itemHeight: 4,
      itemGap: 12,
      textStyle: { fontSize: 10 },
    },
    xAxis: {
      type: 'value',
      min: 0,
      max: SECONDS.load,
      interval: 30,
      axisLabel: { formatter: '{value} s', fontSize: 10 },
      splitLine: { show: false },
    },
    yAxis: {
      type: 'value',
      show: lines.length > 0,
      min: 0,
      axisLabel: { formatter: UNITS[unit] ?? String, fontSize: 10 },
      splitNumber: 4,
    },
    series: lines.map(({ name, points }) => ({
      name,
      type: 'line',
      showSymbol: false,
      color: colourOf(panel, name),
      lineStyle: { width: 1.5, type: /(^| )(limit|objective)$/.test(name) ? 'dashed' : 'solid' },
      data: points.map(([seconds, value]) => [
        seconds - end + SECONDS.load,
        Number.isFinite(value) ? value / scale : null,
      ]),
    })),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

/** Addresses of the gateways, in order. */
const replicas: string[] = [];

/** Replicas by number, and what else there is: their ports mean nothing to a reader. */
function replica(instance: string): string {
  const index = replicas.indexOf(instance);
  return index === -1 ? '' : `replica ${index + 1}`;
}

function assemble(title: string, stats: readonly string[], charts: readonly string[]): string {
  const { width, height, columns, gap, head, stat, stats: across } = SIZE;
  const statRows = Math.ceil(stats.length / across);
  const top = head + statRows * (stat + gap);
  const rows = Math.ceil(charts.length / columns);
  const whole = { width: columns * (width + gap) + gap, height: top + rows * (height + gap) + gap };
  const numbers = stats.map((drawn, n) => {
    const x = gap + (n % across) * ((whole.width - gap) / across);
    const y = head + gap + Math.floor(n / across) * (stat + gap);
    return `<g transform="translate(${x} ${y})">${drawn}</g>`;
  });
  const placed = charts.map((chart, n) => {
    const [x, y] = [
      gap + (n % columns) * (width + gap),
      top + gap + Math.floor(n / columns) * (height + gap),
    ];
    return chart.replace('<svg ', `<svg x="${x}" y="${y}" `);
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${whole.width}" height="${whole.height}" viewBox="0 0 ${whole.width} ${whole.height}">`,
    `<rect width="100%" height="100%" fill="#eef0f3"/>`,
    `<text x="${gap + 4}" y="31" font-family="sans-serif" font-size="17" font-weight="bold" fill="#333">${title}</text>`,
    ...numbers,
    ...placed,
    '</svg>\n',
  ].join('\n');
}

await main();
