/** The parts of a server by which a profile is summed up. */
import { sourcePlace } from '../src/logging/source-places.js';

/** A function, as V8's profilers name it: its place counts from 0. */
export interface CallFrame {
  readonly functionName: string;
  /** '' = a function of V8 itself. */
  readonly url: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
}

/** Parts that are of interest, by what their code's place begins with; the first that fits counts. */
const PARTS: readonly (readonly [part: string, place: RegExp])[] = [
  ['system calls of sockets', /^(writev|writeBuffer|writeUtf8String|writeLatin1String|shutdown|readStart)$/],
  ['garbage collection', /^\(garbage collector\)$/],
  ['ioredis, redis-parser', /node_modules\/(ioredis|redis-parser|standard-as-callback|denque)[./]/],
  ['amqplib', /node_modules\/amqplib[./]/],
  [
    'Koa, its router and body parser',
    /node_modules\/(koa|@koa|koa-.*|co-body|raw-body|delegates|on-finished|ee-first|type-is|statuses|content-.*|parseurl|iconv-lite|inflation|bytes|depd|http-errors|encodeurl|escape-html|destroy|vary|fresh|accepts|cookies)[./]/,
  ],
  ['pino', /node_modules\/(pino|sonic-boom|quick-format.*|fast-.*|safe-stable.*)[./]/],
  ['prom-client', /node_modules\/(prom-client|tdigest|bintrees)[./]/],
  [
    "Node's HTTP and streams",
    /^node:(_http|http|net|_stream|internal\/streams|stream|internal\/stream_base|internal\/http)/,
  ],
  ['the rest of Node', /^(node:|$)/],
  ['the layers', /^src\/layers\//],
  ['Redis and RabbitMQ bindings', /^src\/(redis|rabbitmq)\//],
  ['the rest of ours', /^src\//],
];

/** Returns the part of the gateway, or of what it is built on, that a function belongs to. */
export function partOf(frame: CallFrame): string {
  const place = frame.url === '' ? frame.functionName : placeOf(frame).file;
  return PARTS.find(([, pattern]) => pattern.test(place))?.[0] ?? 'V8 and the rest';
}

/** Returns a function's name with its file and line, from which the way to src/ or node_modules/ is left out. */
export function nameOf(frame: CallFrame): string {
  const { file, line } = placeOf(frame);
  const place = file.replace(/^.*\/(?=node_modules\/)/, '');
  return `${frame.functionName || '(anonymous)'}${place === '' ? '' : ` ${place}:${line}`}`;
}

/** Where a function was written: the built gateway is one file. */
function placeOf({ url, lineNumber, columnNumber }: CallFrame): {
  readonly file: string;
  readonly line: number;
} {
  const source = url.endsWith('/dist/main.js') ? sourcePlace(lineNumber + 1, columnNumber + 1) : undefined;
  return source ?? { file: url, line: lineNumber + 1 };
}
