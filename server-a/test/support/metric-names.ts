import { createMetrics } from '../../src/metrics.js';

/** Metrics of ours and of Node.js, as an expression names them. */
const METRIC = /\b(?:sms|nodejs|process)_[a-z0-9_]+\b|\bup\b/g;

/** Every series that a scrape of the gateway has, those of summaries and histograms included. */
function exposedNames(): Set<string> {
  const { registry } = createMetrics();
  const names = registry.getMetricsAsArray().flatMap(({ name, type }) => {
    // prom-client says `type` as its enum; the text form is what the page shows.
    const parts = ['histogram', 'summary'].includes(String(type)) ? ['_count', '_sum', '_bucket'] : [];
    return [name, ...parts.map((part) => name + part)];
  });
  return new Set([...names, 'up']);
}

const known = exposedNames();

/** Returns the metrics that a PromQL expression names and the gateway does not have. */
export function unknownMetricsIn(expression: string): string[] {
  return [...new Set(expression.match(METRIC) ?? [])].filter((name) => !known.has(name));
}
