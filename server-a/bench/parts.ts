/** The parts of a server by which a profile is summed up. */

/** A function, as V8's profilers name it. */
export interface CallFrame {
  readonly functionName: string;
  /** '' = a function of V8 itself. */
  readonly url: string;
}

/** Parts that are of interest, by what their code's place begins with; the first that fits counts. */
const PARTS: readonly (readonly [part: string, place: RegExp])[] = [
  ['system calls of sockets', /^(writev|writeBuffer|writeUtf8String|writeLatin1String|shutdown|readStart)$/],
  ['garbage collection', /^\(garbage collector\)$/],
  ['ioredis, redis-parser', /node_modules\/(ioredis|redis-parser|standard-as-callback|denque)\//],
  ['amqplib', /node_modules\/amqplib\//],
  [
    'Koa, its router and body parser',
    /node_modules\/(koa|@koa|koa-.*|co-body|raw-body|delegates|on-finished|ee-first|type-is|statuses|content-.*|parseurl|iconv-lite|inflation|bytes|depd|http-errors|encodeurl|escape-html|destroy|vary|fresh|accepts|cookies)\//,
  ],
  ['pino', /node_modules\/(pino|sonic-boom|quick-format.*|fast-.*|safe-stable.*)\//],
  ['prom-client', /node_modules\/(prom-client|tdigest|bintrees)\//],
  [
    "Node's HTTP and streams",
    /^node:(_http|http|net|_stream|internal\/streams|stream|internal\/stream_base|internal\/http)/,
  ],
  ['the rest of Node', /^(node:|$)/],
  ['the layers', /dist\/layers\//],
  ['Redis and RabbitMQ bindings', /dist\/(redis|rabbitmq)\//],
  ['the rest of ours', /dist\//],
];

/** Returns the part of the gateway, or of what it is built on, that a function belongs to. */
export function partOf({ functionName, url }: CallFrame): string {
  const place = url === '' ? functionName : url;
  return PARTS.find(([, pattern]) => pattern.test(place))?.[0] ?? 'V8 and the rest';
}

/** Returns a function's name with its file and line, from which the way to dist/ or node_modules/ is left out. */
export function nameOf({ functionName, url }: CallFrame, line: number): string {
  const place = url.replace(/^.*\/(dist|node_modules)\//, '$1/');
  return `${functionName || '(anonymous)'}${place === '' ? '' : ` ${place}:${line}`}`;
}
