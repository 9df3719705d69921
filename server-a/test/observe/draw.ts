/**
 * Draws the README's picture of the dashboard: `npm run draw -w server-a`.
 *
 * Two gateways under a mixed load for two minutes, with a broker that goes away for a while; a real Prometheus; the queries of
 * the dashboard itself.
 */
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { init } from 'echarts';
import { PANELS, type Panel, withVariables } from '../support/dashboard.js';
import type { Gateway } from '../support/gateway.js';
import { Prometheus, type Series } from '../support/prometheus.js';
import { newBody, Site } from '../support/site.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { RABBITMQ_URL } from '../support/test-services.js';

const FILE = fileURLToPath(new URL('../../../docs/images/dashboard.svg', import.meta.url));
const SHOWN = [
  'Answers by outcome',
  'Answers by client',
  'Latency',
  'Used and limit',
  'Refused, by provider',
  'Idempotency',
  'Messages by outcome',
  'Confirm latency',
  'Memory',
];
const SECONDS = { warmUp: 20, load: 120, brokerAwayAt: 70, brokerAwayFor: 10 };
const SIZE = { width: 440, height: 270, columns: 3, gap: 12, head: 44 };

const CLIENTS = {
  'Financial Service': { daily_quota: 20_000 },
  Alerts: { daily_quota: 9000 },
  Bulk: { daily_quota: 6000 },
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
  const site = new Site({ clients: CLIENTS, variables: { HEARTBEAT_INTERVAL_SECONDS: '5' } });
  const broker = await startTcpProxy(RABBITMQ_URL);
  const gateways = [
    await site.startGateway({ RABBITMQ_URL: broker.url }),
    await site.startGateway({ RABBITMQ_URL: broker.url }),
  ];
  const prometheus = await Prometheus.start(gateways.map(({ port }) => `127.0.0.1:${port}`));
  const until = performance.now() + (SECONDS.warmUp + SECONDS.load) * 1000;
  const senders = Object.keys(CLIENTS).flatMap((client, index) =>
    Array.from({ length: 3 - index }, () => send(site, client, gateways, until)),
  );
  await pause((SECONDS.warmUp + SECONDS.brokerAwayAt) * 1000);
  await broker.refuse();
  await pause(SECONDS.brokerAwayFor * 1000);
  await broker.accept();
  await Promise.all(senders);

  const end = Date.now() / 1000;
  const charts: string[] = [];
  for (const title of SHOWN) {
    const panel = PANELS.find((one) => one.title === title);
    if (panel === undefined) throw new Error(`no panel ${title}`);
    charts.push(await draw(prometheus, panel, end));
  }
  await prometheus.stop();
  await site.close();
  await broker.close();
  await writeFile(FILE, assemble(charts));
}

const UNITS: Readonly<Record<string, (value: number) => string>> = {
  s: (value) => (value >= 1 ? `${value} s` : `${Math.round(value * 10_000) / 10} ms`),
  bytes: (value) => `${value} MiB`,
  reqps: (value) => `${value}/s`,
  short: (value) => `${value}`,
};

/** Draws one panel as SVG. */
async function draw(prometheus: Prometheus, { title, unit, queries }: Panel, end: number): Promise<string> {
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
    title: { text: title, left: 12, top: 8, textStyle: { fontSize: 14 } },
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
      min: 0,
      axisLabel: { formatter: UNITS[unit] ?? String, fontSize: 10 },
      splitNumber: 4,
    },
    series: lines.map(({ name, points }) => ({
      name,
      type: 'line',
      showSymbol: false,
      lineStyle: { width: 1.5, type: name.endsWith(' limit') ? 'dashed' : 'solid' },
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

const replicas: string[] = [];

/** Replicas by number: their ports mean nothing to a reader. */
function replica(instance: string): string {
  if (!replicas.includes(instance)) replicas.push(instance);
  return `replica ${replicas.indexOf(instance) + 1}`;
}

function assemble(charts: readonly string[]): string {
  const { width, height, columns, gap, head } = SIZE;
  const rows = Math.ceil(charts.length / columns);
  const whole = { width: columns * (width + gap) + gap, height: head + rows * (height + gap) + gap };
  const placed = charts.map((chart, n) => {
    const [x, y] = [
      gap + (n % columns) * (width + gap),
      head + gap + Math.floor(n / columns) * (height + gap),
    ];
    return chart.replace('<svg ', `<svg x="${x}" y="${y}" `);
  });
  const title = `SMS gateway: Server A (two replicas; RabbitMQ is away from second ${SECONDS.brokerAwayAt} to ${SECONDS.brokerAwayAt + SECONDS.brokerAwayFor})`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${whole.width}" height="${whole.height}" viewBox="0 0 ${whole.width} ${whole.height}">`,
    `<rect width="100%" height="100%" fill="#eef0f3"/>`,
    `<text x="${gap + 4}" y="31" font-family="sans-serif" font-size="17" font-weight="bold" fill="#333">${title}</text>`,
    ...placed,
    '</svg>\n',
  ].join('\n');
}

await main();
