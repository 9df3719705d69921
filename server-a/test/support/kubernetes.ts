/** Kubernetes manifests, checked offline against the schemas of kubernetes-models. */
import { PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule';
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';
// One by one: the index of a version loads some hundred files.
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { Secret } from 'kubernetes-models/v1/Secret';
import { Service } from 'kubernetes-models/v1/Service';
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount';
import { asObject, type JsonObject } from './json.js';

const MODELS = {
  'apps/v1 Deployment': Deployment,
  'policy/v1 PodDisruptionBudget': PodDisruptionBudget,
  'v1 ConfigMap': ConfigMap,
  'v1 Secret': Secret,
  'v1 Service': Service,
  'v1 ServiceAccount': ServiceAccount,
  'monitoring.coreos.com/v1 ServiceMonitor': ServiceMonitor,
  'monitoring.coreos.com/v1 PrometheusRule': PrometheusRule,
} as const;

/**
 * Returns what is wrong with a manifest: a kind that nobody knows, what its schema says, and every field that the schema
 * does not know. The validator lets unknown fields pass: it never looks at them, and by that they are found.
 */
export function faultsOfManifest(manifest: JsonObject): string[] {
  const name = `${String(manifest['apiVersion'])} ${String(manifest['kind'])}`;
  const Model = new Map<string, new (data: never) => { validate(): void }>(Object.entries(MODELS)).get(name);
  if (Model === undefined) return [`unknown kind ${name}`];
  const looked = new Looked();
  const { validate } = Model.prototype;
  try {
    validate.call(Object.assign(Object.create(Model.prototype), { ...looked.at(manifest) }));
  } catch (error) {
    return [`${name}: ${error instanceof Error ? error.message : String(error)}`];
  }
  return looked.notLookedAt(manifest).map((path) => `${name}: no such field: ${path}`);
}

/** Remembers which fields of an object were looked at. */
class Looked {
  readonly #seen = new Map<object, Set<string>>();

  /** Returns the object as it is, but that whoever reads a field of it is noticed. */
  at<T extends object>(object: T): T {
    const seen = this.#seen.get(object) ?? new Set();
    this.#seen.set(object, seen);
    return new Proxy(object, {
      get: (target, key, receiver) => {
        if (typeof key === 'string') seen.add(key);
        const value: unknown = Reflect.get(target, key, receiver);
        return typeof value === 'object' && value !== null ? this.at(value) : value;
      },
    });
  }

  notLookedAt(object: object, path = ''): string[] {
    const seen = this.#seen.get(object);
    return Object.entries(object).flatMap(([key, value]: [string, unknown]) => {
      const here = Array.isArray(object) ? `${path}[${key}]` : `${path}.${key}`;
      if (seen?.has(key) !== true) return [here];
      return typeof value === 'object' && value !== null ? this.notLookedAt(value, here) : [];
    });
  }
}

/** Follows names through objects, and returns the object there; `{}` where there is none. */
export function objectAt(from: unknown, ...path: readonly string[]): JsonObject {
  return asObject(path.reduce<unknown>((found, name) => Object(found)[name], from) ?? {});
}
