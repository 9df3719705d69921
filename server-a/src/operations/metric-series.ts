/**
 * Metrics with a series for each client, or that are counted at every request. prom-client copies all series of a metric at
 * once when they are read, and writes the labels of each anew; with tens of thousands of clients that stops the requests.
 * These keep each line's beginning ready, and can be read one by one.
 */
import { Counter, Gauge, type LabelValues } from 'prom-client';

/** One series. */
export interface Series {
  /** Its line of the page, up to the value. */
  readonly lineStart: string;
  readonly labels: Readonly<Record<string, string>>;
  value: number;
}

/** The series of one metric, by the values of their labels. */
class SeriesStore {
  readonly #name: string;
  readonly #labelNames: readonly string[];
  #byKey = new Map<string, Series>();
  /** By the object that a caller uses again and again; no other is kept: to grow takes a WeakMap milliseconds. */
  #byLabels = new WeakMap<object, Series>();
  /** Somebody may still be reading {@link SeriesStore.#byKey}. */
  #isRead = false;

  constructor(name: string, labelNames: readonly string[]) {
    this.#name = name;
    this.#labelNames = labelNames;
  }

  /** Returns the series of labels that the caller keeps, made at 0 if need be. */
  ofKept(labels: object): Series {
    let series = this.#byLabels.get(labels);
    if (series === undefined) {
      series = this.of(labels);
      this.#byLabels.set(labels, series);
    }
    return series;
  }

  /** Returns a series, made at 0 if need be. */
  of(labels: object): Series {
    const key = this.#keyOf(labels);
    let series = this.#byKey.get(key);
    if (series === undefined) {
      const values = Object.fromEntries(this.#labelNames.map((name) => [name, labelValue(labels, name)]));
      // Joined, not concatenated: V8 keeps a concatenation as a tree of its parts, which is walked for every page.
      const lineStart = [this.#name, labelText(values), ' '].join('');
      series = { lineStart, labels: values, value: 0 };
      this.#byKey.set(key, series);
    }
    return series;
  }

  remove(labels: object): void {
    // Whoever reads it would come to a series that goes and comes back a second time. One copy for all that go.
    if (this.#isRead) this.#byKey = new Map(this.#byKey);
    this.#isRead = false;
    this.#byKey.delete(this.#keyOf(labels));
    // It may be known there by several objects.
    this.#byLabels = new WeakMap();
  }

  clear(): void {
    // Not emptied: whoever reads it would come to the series that are set anew, a second time.
    this.#byKey = new Map();
    this.#byLabels = new WeakMap();
    this.#isRead = false;
  }

  /** All of them, one by one, each once; series that come or go meanwhile may be among them or not. */
  all(): IterableIterator<Series> {
    this.#isRead = true;
    return this.#byKey.values();
  }

  #keyOf(labels: object): string {
    // One label, as nearly all have, needs no separator; of two, none holds a NUL.
    return this.#labelNames.map((name) => labelValue(labels, name)).join('\0');
  }
}

const labelValue = (labels: object, name: string): string => String(Reflect.get(labels, name));

/** Escapes a text for a help line; a label's value needs its quotes escaped as well. */
export const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');

/** Labels as the page has them, with their braces; '' for none. */
export function labelText(labels: Readonly<Record<string, string | number | undefined>>): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${escaped(String(value)).replaceAll('"', '\\"')}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** In the form of prom-client, for whoever reads the metrics by its means. */
function valuesOf(series: Iterable<Series>) {
  return Array.from(series, ({ labels, value }) => ({ labels: { ...labels }, value }));
}

/** A counter with labels, whose series are read one by one. */
export class SeriesCounter extends Counter {
  readonly #store: SeriesStore;

  constructor(configuration: ConstructorParameters<typeof Counter>[0]) {
    super(configuration);
    this.#store = new SeriesStore(configuration.name, configuration.labelNames ?? []);
    // Not a method: prom-client's own constructor sets `inc` on the object, where it would hide one.
    this.inc = (labels?: object | number, value: unknown = 1): void => {
      if (typeof value !== 'number') throw new TypeError('a counter counts numbers');
      if (typeof labels !== 'object') throw new TypeError('a counter of clients needs its labels');
      this.#store.of(labels).value += value;
    };
  }

  /** Returns one of its series to count with again and again, at a fraction of the cost. */
  kept(labels: object): { inc(): void } {
    return {
      inc: () => {
        this.#store.ofKept(labels).value += 1;
      },
    };
  }

  override async get() {
    return { ...(await super.get()), values: valuesOf(this.series()) };
  }

  override reset(): void {
    super.reset();
    // Called by the constructor of prom-client as well, before there is a store.
    if (#store in this) this.#store.clear();
  }

  /** All series, one by one. */
  series(): IterableIterator<Series> {
    return this.#store.all();
  }
}

/** A gauge with labels, whose series are read one by one. Is set, and never counts. */
export class SeriesGauge extends Gauge {
  readonly #store: SeriesStore;

  constructor(configuration: ConstructorParameters<typeof Gauge>[0]) {
    super(configuration);
    this.#store = new SeriesStore(configuration.name, configuration.labelNames ?? []);
  }

  /** Sets the series of labels that the caller keeps: found by the object, at a fraction of the cost. */
  setKept(labels: object, value: number): void {
    this.#store.ofKept(labels).value = value;
  }

  override set(labels: LabelValues<string>, value: number): void;
  override set(value: number): void;
  override set(labels: object | number, value = Number.NaN): void {
    if (typeof labels !== 'object') throw new TypeError('a gauge of clients needs its labels');
    this.#store.of(labels).value = value;
  }

  override remove(labels: LabelValues<string>): void;
  override remove(...values: string[]): void;
  override remove(labels: object | string | undefined): void {
    if (typeof labels !== 'object') throw new TypeError('a gauge of clients needs its labels');
    this.#store.remove(labels);
  }

  override async get() {
    return { ...(await super.get()), values: valuesOf(this.series()) };
  }

  override reset(): void {
    super.reset();
    if (#store in this) this.#store.clear();
  }

  /** All series, one by one. */
  series(): IterableIterator<Series> {
    return this.#store.all();
  }
}
