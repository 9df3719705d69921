/**
 * The catalogue of log events: every `message` that a line can have, at which levels, and what it means. The type of a log
 * knows no other; the README's table is made from it by `make docs`.
 */

/** Levels of a line, the least first. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

/** A level of a line. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** One row of the catalogue. */
export interface LogEvent {
  readonly levels: readonly LogLevel[];
  /** What happened, and which fields say more; in Markdown, for the documentation. */
  readonly meaning: string;
}

/** Every event, by its name: `part.what_happened`. */
export const LOG_EVENTS = {
  request: {
    levels: ['debug', 'info', 'warn', 'error'],
    meaning:
      'One request: for the send endpoint `info`, or `error` with INTERNAL_ERROR; for other paths `debug`, `info` from 400 on, `warn` from 500 on',
  },
  batch: {
    levels: ['info', 'error'],
    meaning:
      'One batch: `items` and how many of them ended how (`outcomes`), `tracking_ids` in the order of the items; of one that was refused as a whole, `outcome`',
  },
  'batch.item_refused': {
    levels: ['info', 'error'],
    meaning:
      'One item of a batch that was not accepted: `index` is its place, the rest as of `request`; `error` with INTERNAL_ERROR',
  },
  'connection.refused': {
    levels: ['info'],
    meaning:
      "A request was refused before any layer, or a connection closed because of what came over it: `reason`, the parser's `code` for it, `remote_address`, and `status` if the refusal was answered",
  },
  'connections.dropped': {
    levels: ['warn'],
    meaning:
      'More than `MAX_CONNECTIONS`: so many connections were closed as they came; at once, and then every 10 s',
  },
  'connections.limit_lowered': {
    levels: ['warn'],
    meaning: "At the start: the system's limit of open files leaves room for fewer than `MAX_CONNECTIONS`",
  },
  'connections.accept_failed': {
    levels: ['error'],
    meaning: 'The system has refused a connection, for instance for want of memory',
  },
  'provider_gate.blocked': {
    levels: ['warn'],
    meaning:
      'The gate refused a request; `error_code` and `providers` (the known ones that it named) say why',
  },
  'idempotency.mismatch': {
    levels: ['warn'],
    meaning: 'A key came with another body',
  },
  'publish.settled_late': {
    levels: ['warn'],
    meaning: 'The outcome of a publish that had timed out is known; `outcome` says which',
  },
  'settlement.failed': {
    levels: ['error'],
    meaning:
      'A write to Redis was given up; `kind` is the ending of an attempt (answered, not_sent, held, unknown), undo or refund; with `tracking_id`, client and, where a unit stays counted, `quota_day`',
  },
  'heartbeat.failed': {
    levels: ['error'],
    meaning: 'A heartbeat was not sent; `retry_in_ms` says when the next try is',
  },
  'redis.ready': {
    levels: ['info'],
    meaning: 'Connected to Redis; `node` is its address, `role` is master or replica',
  },
  'redis.cluster_ready': {
    levels: ['info'],
    meaning: 'The nodes of the Redis Cluster are known; `masters` are their addresses',
  },
  'redis.sentinel_failed': {
    levels: ['error'],
    meaning: 'A sentinel gave no usable answer; the next one is asked. The same reason is logged once',
  },
  'redis.closed': {
    levels: ['warn'],
    meaning: 'The connection to Redis (`node`) ended',
  },
  'redis.error': {
    levels: ['error'],
    meaning:
      'Why; the same reason is logged once. `hint`: what Redis may want, where it ended a TLS connection without a reason',
  },
  'rabbitmq.ready': {
    levels: ['info'],
    meaning: 'Connected to RabbitMQ, queues declared; `node` is its address',
  },
  'rabbitmq.disconnected': {
    levels: ['warn'],
    meaning: 'The connection to RabbitMQ (`node`) ended; the other nodes are tried at once',
  },
  'rabbitmq.connect_failed': {
    levels: ['error'],
    meaning: 'No connection to `node`; the same reason is logged once',
  },
  'rabbitmq.node_left': {
    levels: ['warn'],
    meaning:
      'The gateway leaves a node for another one: it did not answer, or confirmed nothing for 10 s; `reason` says which',
  },
  'rabbitmq.heartbeat_queue_unusable': {
    levels: ['error'],
    meaning: 'The queue of heartbeats cannot be declared; messages go on. The same reason is logged once',
  },
  'rabbitmq.blocked': {
    levels: ['warn'],
    meaning: 'The broker takes no messages (memory or disk alarm)',
  },
  'rabbitmq.unblocked': {
    levels: ['info'],
    meaning: 'It takes messages again',
  },
  'rabbitmq.channel_closed': {
    levels: ['error'],
    meaning: 'The broker closed the channel; it is opened anew',
  },
  'rabbitmq.channel_not_reopened': {
    levels: ['error'],
    meaning: 'That failed; tried again after 250 ms',
  },
  'rabbitmq.queue_missing': {
    levels: ['warn'],
    meaning: 'A message had no queue; the queues are declared again',
  },
  'rabbitmq.queue_not_restored': {
    levels: ['error'],
    meaning: 'That failed',
  },
  'gateway.started': {
    levels: ['info'],
    meaning:
      'Listening; with address, port, `operations_port` if there is one, fingerprints, numbers of clients and providers',
  },
  'gateway.not_started': {
    levels: ['fatal'],
    meaning: 'Could not start, for instance because the port is taken; exit code 1',
  },
  'config.loaded': {
    levels: ['info'],
    meaning:
      'At the start and after each change: `config` sums up the configuration in force, without secrets: clients, providers, fingerprints, services, queues, limits; of long lists 20 items, and how many more there are',
  },
  'config.warnings': {
    levels: ['warn'],
    meaning: '`warnings` lists what looks wrong in it',
  },
  'config.invalid': {
    levels: ['fatal'],
    meaning: '`faults` lists every fault of the configuration; exit code 1',
  },
  'config.reloaded': {
    levels: ['info'],
    meaning: 'Changed clients and providers are in force; `trigger` is `signal` or `file`',
  },
  'config.unchanged': {
    levels: ['info'],
    meaning: 'The configuration was read anew and says what it said before',
  },
  'config.certificates_renewed': {
    levels: ['info'],
    meaning: 'TLS files have changed; connections to `service` that are made from now on use them',
  },
  'config.reload_refused': {
    levels: ['error'],
    meaning:
      'It was read anew and is not valid; `faults` lists every fault. The one before it stays in force',
  },
  'config.restart_needed': {
    levels: ['warn'],
    meaning: '`variables` have changed that are only read at the start',
  },
  'shutdown.started': {
    levels: ['info'],
    meaning: 'SIGTERM or SIGINT came',
  },
  'shutdown.done': {
    levels: ['info'],
    meaning: 'Ended in order; exit code 0; `settlements_given_up` counts the `settlement.failed` lines',
  },
  'shutdown.timed_out': {
    levels: ['error'],
    meaning: '`SHUTDOWN_TIMEOUT_MS` is over; exit code 1',
  },
  'shutdown.forced': {
    levels: ['warn'],
    meaning: 'A second signal came; exit code 1',
  },
  'shutdown.failed': {
    levels: ['error'],
    meaning: 'Ending failed; exit code 1',
  },
  'process.unforeseen': {
    levels: ['fatal'],
    meaning: 'An error that no code caught; exit code 70',
  },
  'response.failed': {
    levels: ['debug'],
    meaning: 'An answer could not be sent, mostly because the sender hung up',
  },
} as const satisfies Record<string, LogEvent>;

/** Names of the events that may be logged at a level. */
export type EventAt<Level extends LogLevel> = {
  [Name in keyof typeof LOG_EVENTS]: Level extends (typeof LOG_EVENTS)[Name]['levels'][number] ? Name : never;
}[keyof typeof LOG_EVENTS];
