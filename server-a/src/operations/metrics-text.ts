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
  let lines = 0;
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
        text += `${lineStart}${valueText(value)}\n`;
        lines += 1;
        if (lines < LINES_PER_TURN) continue;
        yield text;
        text = '';
        lines = 0;
        await turnOfTheLoop();
      }
    } else {
      // What Node.js says of itself takes up to half a millisecond a metric, and 1.5 ms in all.
      await turnOfTheLoop();
      const { type, values } = await metric.get();
      text += headOf(name, String(type), help);
      for (const sample of values) {
        const { metricName = name } = 'metricName' in sample ? sample : {};
        text += `${String(metricName)}${labelText(sample.labels)} ${valueText(sample.value)}\n`;
        lines += 1;
      }
    }
  }
  if (text !== '') yield text;
}

const headOf = (name: string, type: string, help: string): string =>
  `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n`;

function valueText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
