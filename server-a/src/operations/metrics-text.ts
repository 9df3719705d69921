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
  let text = '';
  const lines = new Lines();
  let isFirst = true;
  for (const { name, help } of registry.getMetricsAsArray()) {
    const metric = registry.getSingleMetric(name);
    if (metric === undefined) continue;
    // A blank line between two metrics, as prom-client has it.
    if (!isFirst) text += '\n';
    isFirst = false;
    if (metric instanceof SeriesCounter || metric instanceof SeriesGauge) {
      text += headOf(name, metric instanceof SeriesCounter ? 'counter' : 'gauge', help);
      for (const { lineStart, value } of metric.series()) {
        lines.add(lineStart, valueText(value));
        if (!lines.areFull) continue;
        yield text + lines.take();
        text = '';
        await turnOfTheLoop();
      }
      text += lines.take();
    } else {
      // What Node.js says of itself takes up to half a millisecond a metric, and 1.5 ms in all.
      await turnOfTheLoop();
      const { type, values } = await metric.get();
      text += headOf(name, String(type), help);
      for (const sample of values) {
        const { metricName = name } = 'metricName' in sample ? sample : {};
        text += `${String(metricName)}${labelText(sample.labels)} ${valueText(sample.value)}\n`;
      }
    }
  }
  if (text !== '') yield text;
}

/** Pieces of text of a line: its beginning, its value, and its end. */
const PIECES = 3;

/**
 * Gathers the lines of one turn. In an array that is used again: added to a text one by one, they would be three times the
 * garbage, for which each scavenge comes sooner, and the slowest hundredth of the senders' requests are those that wait for
 * a scavenge.
 */
class Lines {
  readonly #pieces = new Array<string>(PIECES * LINES_PER_TURN).fill('');
  #count = 0;

  get areFull(): boolean {
    return this.#count === LINES_PER_TURN;
  }

  add(lineStart: string, value: string): void {
    const at = PIECES * this.#count;
    this.#pieces[at] = lineStart;
    this.#pieces[at + 1] = value;
    this.#pieces[at + 2] = '\n';
    this.#count += 1;
  }

  /** Returns the lines so far, and begins anew. */
  take(): string {
    const pieces = this.areFull ? this.#pieces : this.#pieces.slice(0, PIECES * this.#count);
    this.#count = 0;
    return pieces.join('');
  }
}

const headOf = (name: string, type: string, help: string): string =>
  `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n`;

function valueText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
