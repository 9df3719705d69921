/** A JSON object of which nothing is known. */
export type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns the value, if it is an object. @throws Error otherwise */
export function asObject(value: unknown): JsonObject {
  if (!isObject(value)) throw new Error(`not an object: ${JSON.stringify(value)}`);
  return value;
}

/** Returns the value, if it is a list. @throws Error otherwise */
export function asList(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`not a list: ${JSON.stringify(value)}`);
  return value;
}

/** Parses a JSON object. @throws Error when it is none */
export function parseObject(text: string): JsonObject {
  const parsed: unknown = JSON.parse(text);
  return asObject(parsed);
}
