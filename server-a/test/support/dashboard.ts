import { readFileSync } from 'node:fs';
import { asList, asObject, type JsonObject } from './json.js';

/** The dashboard that Grafana is provisioned with. */
export const DASHBOARD: JsonObject = asObject(
  JSON.parse(
    readFileSync(new URL('../../../observe/grafana/dashboards/server-a.json', import.meta.url), 'utf8'),
  ),
);

/** A panel that shows something, and what it asks Prometheus for. */
export interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  /** Grafana's unit of its values, such as `s` or `reqps`. */
  readonly unit: string;
  readonly queries: readonly { readonly expression: string; readonly legend: string }[];
  readonly json: JsonObject;
}

/** Every panel of the dashboard but the titles of its rows. */
export const PANELS: readonly Panel[] = asList(DASHBOARD['panels'])
  .map(asObject)
  .filter(({ type }) => type !== 'row')
  .map((json) => ({
    id: Number(json['id']),
    title: String(json['title']),
    type: String(json['type']),
    unit: String(asObject(asObject(json['fieldConfig'])['defaults'])['unit'] ?? ''),
    queries: asList(json['targets'])
      .map(asObject)
      .map(({ expr, legendFormat }) => ({ expression: String(expr), legend: String(legendFormat) })),
    json,
  }));

/** What marks moments on every panel. */
export const ANNOTATIONS: readonly Pick<Panel, 'title' | 'queries'>[] = asList(
  asObject(DASHBOARD['annotations'])['list'],
)
  .map(asObject)
  .map(({ name, expr, textFormat }) => ({
    title: String(name),
    queries: [{ expression: String(expr), legend: String(textFormat) }],
  }));

/** Puts in what Grafana would: all replicas, all clients, and rates over so many seconds. */
export function withVariables(expression: string, rateSeconds: number): string {
  return expression
    .replaceAll('$__rate_interval', `${rateSeconds}s`)
    .replaceAll('$instance', '.*')
    .replaceAll('$client', '.*');
}
