/** Requests without a server: a Koa context as the layers get it, for a layer that is tested alone. */
import { IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import Koa from 'koa';
import type { Registry } from '../../src/config/registry.js';
import { type Context, type Layer, RequestState } from '../../src/request/state.js';
import { configOf } from './configs.js';
import { SEND_PATH } from './paths.js';

/** What a context is made of; the default is an empty send request of nobody. */
export interface Asked {
  readonly method?: string;
  readonly path?: string;
  /** Names in lower case, as Node gives them. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Default: {@link REGISTRY}. */
  readonly registry?: Registry;
  /** What earlier layers have left behind. */
  readonly state?: Partial<RequestState>;
}

/** API keys of {@link REGISTRY}: one that is active, and one that is not. */
export const API_KEYS = { active: 'key-of-an-active-client', inactive: 'key-of-an-inactive-client' };

/** Clients by {@link API_KEYS} (`Active`, `Inactive`), and providers: Alpha (also First, alpha-sms) works, Beta does not. */
export const REGISTRY: Registry = configOf({
  [API_KEYS.active]: { name: 'Active' },
  [API_KEYS.inactive]: { name: 'Inactive', is_active: false },
}).registry;

const app = new Koa<RequestState>();

/** Makes a context. Its response is written nowhere; look at `ctx.status`, `ctx.state.json` and {@link headersOf}. */
export function contextOf(asked: Asked = {}): Context {
  const { method = 'POST', path = SEND_PATH, headers = {}, body, registry = REGISTRY, state = {} } = asked;
  const req = new IncomingMessage(new Socket());
  req.method = method;
  req.url = path;
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  req.headers = { ...length, ...headers };
  if (body !== undefined) req.push(body);
  req.push(null);
  const ctx = app.createContext<RequestState>(req, new ServerResponse(req));
  // As Koa does before the first layer.
  ctx.res.statusCode = 404;
  ctx.state = Object.assign(new RequestState(), { registry }, state);
  return ctx;
}

/** Runs layers one within the other, the first outermost. */
export async function runLayers(ctx: Context, ...layers: readonly Layer[]): Promise<void> {
  const runFrom = async (index: number): Promise<void> => {
    await layers[index]?.(ctx, () => runFrom(index + 1));
  };
  await runFrom(0);
}

/** Runs layers and returns what they throw; undefined = nothing. */
export async function thrownBy(ctx: Context, ...layers: readonly Layer[]): Promise<unknown> {
  try {
    await runLayers(ctx, ...layers);
    return undefined;
  } catch (thrown) {
    return thrown;
  }
}

/** Headers of an answer so far. */
export function headersOf(ctx: Context): OutgoingHttpHeaders {
  const { headers = [] } = ctx.state;
  const pairs = headers.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), headers[at + 1]]] : []));
  return { ...ctx.res.getHeaders(), ...Object.fromEntries(pairs) };
}
