/** Prometheus's text format, made in slices: tens of thousands of series must not stop the requests. */
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import type { Registry } from 'prom-client';
import { escaped, labelText, SeriesCounter, SeriesGauge } from './metric-series.js';

/** Lines made in one turn of the event loop: a twentieth of a millisecond. */
const LINES_PER_TURN = 250;

/**
 * Yields the page of a registry in pieces, at most one for each turn of the event loop. Each value is that of the moment at which
 * its line is written.
 */
export async function* metricsText(registry: Registry): AsyncGenerator<string> {
  const lines = new Lines();
  let isFirst = true;
  for (const { name, help } of registry.getMetricsAsArray()) {
    const metric = registry.getSingleMetric(name);
    if (metric === undefined) continue;
    // A blank line between two metrics, as prom-client has it.
    if (!isFirst) lines.add('\n');
    isFirst = false;
    if (metric instanceof SeriesCounter || metric instanceof SeriesGauge) {
      lines.add(headOf(name, metric instanceof SeriesCounter ? 'counter' : 'gauge', help));
      for (const { lineStart, value } of metric.series()) {
        lines.addLine(lineStart, value);
        if (!lines.areEnough) continue;
        yield lines.take();
        await turnOfTheLoop();
      }
    } else {
      // What Node.js says of itself takes up to half a millisecond a metric, and 1.5 ms in all.
      await turnOfTheLoop();
      const { type, values } = await metric.get();
      lines.add(headOf(name, String(type), help));
      for (const sample of values) {
        const { metricName = name } = 'metricName' in sample ? sample : {};
        lines.addLine(`${String(metricName)}${labelText(sample.labels)} `, sample.value);
      }
    }
  }
  yield lines.take();
}

/**
 * Gathers the lines of one turn, in an array that is used again: added to a text one by one, they would be more
 * garbage, for which each scavenge comes sooner, and the slowest hundredth of the senders' requests are those that wait for
 * a scavenge.
 */
class Lines {
  readonly #texts: string[] = [];
  #used = 0;
  #lines = 0;

  /** They are as many as one turn makes. */
  get areEnough(): boolean {
    return this.#lines >= LINES_PER_TURN;
  }

  add(text: string): void {
    this.#texts[this.#used] = text;
    this.#used += 1;
  }

  /** @param lineStart the line up to its value */
  addLine(lineStart: string, value: number): void {
    this.add(lineStart);
    this.add(valueText(value));
    this.add('\n');
    this.#lines += 1;
  }

  /** Returns what was added, and begins anew. */
  take(): string {
    const text = this.#texts.fill('', this.#used).join('');
    this.#used = 0;
    this.#lines = 0;
    return text;
  }
}

const headOf = (name: string, type: string, help: string): string =>
  `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n`;

function valueText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
