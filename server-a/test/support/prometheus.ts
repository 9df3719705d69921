import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findFreePort } from '../../dev/services/free-port.js';
import { asList, asObject, type JsonObject, parseObject } from './json.js';
import { waitFor } from './wait-for.js';

/** One series of an answer: its labels, and its value now (or its points in time, for a range). */
export interface Series {
  readonly labels: JsonObject;
  readonly points: readonly (readonly [seconds: number, value: number])[];
}

/** What is watched beside the gateways. */
export interface AlsoWatched {
  /** Address of RabbitMQ's plugin, `host:port`. */
  readonly rabbitmq?: string;
  /** Address of Redis's exporter. */
  readonly redis?: string;
  /** Evaluate the shipped recordings and alerts too, once a second. */
  readonly rules?: boolean;
}

/** A folder of the shipped rules. */
const RULES = fileURLToPath(new URL('../../../observe/prometheus/', import.meta.url));

/** A real Prometheus, for a while, that scrapes gateways once a second. */
export class Prometheus {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.url = url;
    this.#child = child;
    this.#folder = folder;
  }

  /** Starts one. @param targets addresses to scrape, `host:port` @throws Error when it is not installed */
  static async start(
    targets: readonly string[],
    { rabbitmq, redis, rules = false }: AlsoWatched = {},
  ): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'sms-gateway-prometheus-'));
    const file = join(folder, 'prometheus.yml');
    const job = (name: string, ...addresses: string[]) => ({
      job_name: name,
      static_configs: [{ targets: addresses }],
    });
    const detailed = {
      metrics_path: '/metrics/detailed',
      params: { family: ['queue_coarse_metrics', 'queue_consumer_count'] },
    };
    const jobs = [
      job('server-a', ...targets),
      ...(rabbitmq === undefined
        ? []
        : [job('rabbitmq', rabbitmq), { ...job('rabbitmq-queues', rabbitmq), ...detailed }]),
      ...(redis === undefined ? [] : [job('redis', redis)]),
    ];
    const global = { scrape_interval: '1s', evaluation_interval: '1s' };
    const files = rules
      ? ['expected.yml', 'recordings.yml', 'alerts.yml'].map((name) => join(RULES, name))
      : [];
    // JSON is YAML.
    await writeFile(file, JSON.stringify({ global, rule_files: files, scrape_configs: jobs }));
    const port = await findFreePort();
    const child = spawn(
      'prometheus',
      [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: 'ignore' },
    );
    await once(child, 'spawn');
    const prometheus = new Prometheus(`http://127.0.0.1:${port}`, child, folder);
    await waitFor('Prometheus', async () => (await fetch(`${prometheus.url}/-/ready`)).ok, {
      withinMs: 60_000,
    });
    return prometheus;
  }

  /** What an expression says now. @throws Error with Prometheus's words when it is no expression */
  query(expression: string): Promise<Series[]> {
    return this.#ask('query', { query: expression });
  }

  /** What an expression has said. @param step seconds between two points; times are seconds since 1970 */
  queryRange(expression: string, start: number, end: number, step: number): Promise<Series[]> {
    return this.#ask('query_range', {
      query: expression,
      start: String(start),
      end: String(end),
      step: String(step),
    });
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
    await rm(this.#folder, { recursive: true });
  }

  async #ask(what: string, parameters: Readonly<Record<string, string>>): Promise<Series[]> {
    const answer = await fetch(`${this.url}/api/v1/${what}?${new URLSearchParams(parameters)}`);
    const { status, error, data } = parseObject(await answer.text());
    if (status !== 'success') throw new Error(`${parameters['query']}: ${error}`);
    return asList(asObject(data)['result']).map((series) => {
      const { metric, value, values } = asObject(series);
      const points = value === undefined ? asList(values) : [value];
      return {
        labels: asObject(metric),
        points: points.map((point) => {
          const [seconds, text] = asList(point);
          return [Number(seconds), Number(text)] as const;
        }),
      };
    });
  }
}
