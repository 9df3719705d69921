import type { Gateway } from './gateway.js';
import { waitFor } from './wait-for.js';

/** A scrape of `/metrics`. */
export class MetricsPage {
  readonly text: string;
  readonly #samples = new Map<string, number>();

  constructor(text: string) {
    this.text = text;
    for (const line of text.split('\n')) {
      const [, name, labels, value] = /^([a-z_][a-z0-9_]*)(?:\{(.*)\})? (\S+)$/i.exec(line) ?? [];
      if (name === undefined || value === undefined) continue;
      this.#samples.set(`${name}{${(labels ?? '').split(',').sort().join(',')}}`, Number(value));
    }
  }

  /** Value of a sample; 0 where it is not there, as Prometheus sums it. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    return this.#samples.get(`${name}{${pairs.sort().join(',')}}`) ?? 0;
  }

  /** Type that the page gives a metric; undefined where it has none. */
  typeOf(name: string): string | undefined {
    return new RegExp(`^# TYPE ${name} (\\w+)$`, 'm').exec(this.text)?.[1];
  }
}

/** Scrapes a gateway. */
export async function scrape(gateway: Gateway): Promise<MetricsPage> {
  return new MetricsPage((await gateway.ask('/metrics')).text);
}

/** Resolves after the first heartbeat, which takes one of the slots of MAX_IN_FLIGHT for a moment; the next is a minute away. */
export async function firstHeartbeat(gateway: Gateway): Promise<void> {
  await waitFor(
    'a heartbeat',
    async () => (await scrape(gateway)).value('sms_heartbeats_total', { outcome: 'sent' }) >= 1,
    // A quorum queue that was just made may let the first ones fail; each pause is longer than the one before.
    { withinMs: 40_000 },
  );
}
