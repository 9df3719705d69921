/** Prometheus, Alertmanager and Redis's exporter, as the profile "observe" runs them, with their shipped files. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asList, asObject, type JsonObject } from '../support/json.js';
import { waitFor } from '../support/wait-for.js';

const OBSERVE = fileURLToPath(new URL('../../../observe/', import.meta.url));

/** What Alertmanager says of an alert. */
export interface Alert {
  readonly name: string;
  readonly severity: string;
  /** Whom it goes to. */
  readonly receiver: string;
  /** True where a stronger alert keeps it from being sent. */
  readonly inhibited: boolean;
  readonly labels: JsonObject;
}

/** The programs that watch the gateway. */
export class Watchers {
  readonly #children: ChildProcess[] = [];
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Starts them on the ports that the shipped files name. @param folder for their data; made if missing */
  static async start(folder: string): Promise<Watchers> {
    await mkdir(folder, { recursive: true });
    const watchers = new Watchers(folder);
    await cp(join(OBSERVE, 'prometheus'), join(folder, 'prometheus'), { recursive: true });
    watchers.#run('prometheus', [
      `--config.file=${join(folder, 'prometheus', 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      '--web.listen-address=127.0.0.1:9090',
    ]);
    watchers.#run('prometheus-alertmanager', [
      `--config.file=${join(OBSERVE, 'alertmanager', 'alertmanager.yml')}`,
      `--storage.path=${join(folder, 'alertmanager')}`,
      '--web.listen-address=127.0.0.1:9093',
      '--cluster.listen-address=',
    ]);
    watchers.#run('prometheus-redis-exporter', [
      '--redis.addr=redis://redis:6379',
      '--include-system-metrics',
      '--web.listen-address=127.0.0.1:9121',
    ]);
    for (const port of [9090, 9093]) {
      await waitFor(
        `what watches on port ${port}`,
        async () => (await fetch(`http://127.0.0.1:${port}/-/ready`)).ok,
        {
          withinMs: 30_000,
        },
      );
    }
    return watchers;
  }

  /** Writes into expected.yml what is expected, as an operator does, and has it read. */
  async expect(recorded: string, value: number): Promise<void> {
    const file = join(this.#folder, 'prometheus', 'expected.yml');
    const text = await readFile(file, 'utf8');
    const changed = text.replace(
      new RegExp(`(record: ${recorded}\\n\\s+expr: vector)\\(\\d+\\)`),
      `$1(${value})`,
    );
    if (changed === text && !text.includes(`vector(${value})`)) throw new Error(`no ${recorded} in ${file}`);
    await writeFile(file, changed);
    this.#children[0]?.kill('SIGHUP');
  }

  /** Every alert that fires now, those that are inhibited included. */
  async alerts(): Promise<Alert[]> {
    const answer: unknown = await (await fetch('http://127.0.0.1:9093/api/v2/alerts')).json();
    return asList(answer).map((one) => {
      const { labels, receivers, status } = asObject(one);
      const named = asObject(labels);
      return {
        name: String(named['alertname']),
        severity: String(named['severity']),
        receiver: asList(receivers)
          .map((receiver) => String(asObject(receiver)['name']))
          .join(),
        inhibited: asList(asObject(status)['inhibitedBy']).length > 0,
        labels: named,
      };
    });
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      }),
    );
  }

  #run(command: string, args: readonly string[]): void {
    this.#children.push(spawn(command, [...args], { stdio: 'ignore' }));
  }
}
