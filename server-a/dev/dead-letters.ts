/**
 * Looks at dead letters, saves them, and puts those that are still worth sending back into the outbound queue:
 *
 *     npm run dead-letters -w server-a -- list
 *     npm run dead-letters -w server-a -- save dead-letters.jsonl
 *     npm run dead-letters -w server-a -- replay [--ttl 600] [--id <tracking id>]…
 *
 * RABBITMQ_URL and RABBITMQ_OUTBOUND_QUEUE say where, as for the gateway. Prints neither recipients nor texts. A message
 * leaves the dead letters only after the file is on disk, or after the broker has confirmed it in the outbound queue: ended
 * in between, it may be in both, under one tracking id.
 */
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type ConfirmChannel, connect, type GetMessage } from 'amqplib';
import * as yup from 'yup';

const envelope = yup.object({
  tracking_id: yup.string().required(),
  ttl_seconds: yup.number().required(),
  created_at: yup.string().required(),
});
const death = yup.object({ reason: yup.string().required() });

/** A dead letter, and what of it decides. */
interface DeadLetter {
  readonly message: GetMessage;
  readonly body: Readonly<Record<string, unknown>>;
  readonly trackingId: string;
  /** Why it died: `expired`, `rejected`. */
  readonly reason: string;
  readonly createdAt: string;
  /** Milliseconds for which it is still worth sending; negative = since when it is not. */
  readonly leftMs: number;
}

function read(message: GetMessage): DeadLetter {
  const body: unknown = JSON.parse(message.content.toString());
  const { tracking_id, ttl_seconds, created_at } = envelope.validateSync(body);
  const deaths: unknown = message.properties.headers?.['x-death'];
  const [latest]: unknown[] = Array.isArray(deaths) ? deaths : [];
  return {
    message,
    body: Object.fromEntries(Object.entries(Object(body))),
    trackingId: tracking_id,
    reason: death.isValidSync(latest) ? latest.reason : 'unknown',
    createdAt: created_at,
    leftMs: Date.parse(created_at) + ttl_seconds * 1000 - Date.now(),
  };
}

/** Takes every message that is in the queue now; each is given back when the channel closes, unless it is acknowledged. */
async function takeAll(channel: ConfirmChannel, queue: string): Promise<DeadLetter[]> {
  const { messageCount } = await channel.checkQueue(queue);
  const taken: DeadLetter[] = [];
  while (taken.length < messageCount) {
    const message = await channel.get(queue);
    if (message === false) break;
    taken.push(read(message));
  }
  return taken;
}

function list(letters: readonly DeadLetter[]): void {
  for (const { trackingId, reason, createdAt, leftMs } of letters) {
    const worth = leftMs > 0 ? `worth sending for ${Math.ceil(leftMs / 1000)} s` : 'too late';
    process.stdout.write(`${trackingId}  ${reason}  created ${createdAt}  ${worth}\n`);
  }
  process.stdout.write(`${letters.length} dead letters\n`);
}

/** Appends them to a file that only its owner can read, one JSON object a line, and takes them out of the queue. */
async function save(channel: ConfirmChannel, letters: readonly DeadLetter[], path: string): Promise<void> {
  const file = await open(path, 'a', 0o600);
  for (const { reason, body, message } of letters) {
    const { headers } = message.properties;
    await file.appendFile(`${JSON.stringify({ reason, headers, envelope: body })}\n`);
  }
  await file.sync();
  await file.close();
  for (const { message } of letters) channel.ack(message);
  process.stdout.write(`${letters.length} dead letters saved to ${path}\n`);
}

/** Publishes them anew under their tracking ids. @param ttlSeconds a new life from now on; without it, what is left of the old one */
async function replay(
  channel: ConfirmChannel,
  letters: readonly DeadLetter[],
  queue: string,
  ttlSeconds: number | undefined,
): Promise<void> {
  let [replayed, late] = [0, 0];
  for (const { message, body, leftMs } of letters) {
    if (ttlSeconds === undefined && leftMs <= 0) {
      late += 1;
      continue;
    }
    const renewed =
      ttlSeconds === undefined
        ? body
        : { ...body, ttl_seconds: ttlSeconds, created_at: new Date().toISOString() };
    const { headers, contentType, messageId, timestamp, appId, type } = message.properties;
    const kept = Object.entries(headers ?? {}).filter(([name]) => !name.startsWith('x-'));
    channel.publish('', queue, Buffer.from(JSON.stringify(renewed)), {
      ...{ contentType, messageId, timestamp, appId, type, persistent: true, mandatory: true },
      headers: Object.fromEntries(kept),
      expiration: String(ttlSeconds === undefined ? leftMs : ttlSeconds * 1000),
    });
    await channel.waitForConfirms();
    channel.ack(message);
    replayed += 1;
  }
  process.stdout.write(`${replayed} replayed; ${late} too late, left where they are\n`);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { ttl: { type: 'string' }, id: { type: 'string', multiple: true } },
  });
  const [command = '', path] = positionals;
  const ttlSeconds = values.ttl === undefined ? undefined : Number(values.ttl);
  const ttlIsRight = ttlSeconds === undefined || (Number.isInteger(ttlSeconds) && ttlSeconds > 0);
  if (
    !['list', 'save', 'replay'].includes(command) ||
    (command === 'save') !== (path !== undefined) ||
    !ttlIsRight
  ) {
    throw new Error('Usage: dead-letters list | save FILE | replay [--ttl SECONDS] [--id TRACKING_ID]…');
  }
  const queue = process.env['RABBITMQ_OUTBOUND_QUEUE'] || 'sms.outbound';
  const connection = await connect(process.env['RABBITMQ_URL'] || 'amqp://guest:guest@127.0.0.1:5672/');
  try {
    const channel = await connection.createConfirmChannel();
    // A returned message is confirmed too: acknowledged here, it would be lost.
    channel.on('return', () => {
      process.stderr.write(`There is no queue ${queue}.\n`);
      process.exit(1);
    });
    const all = await takeAll(channel, `${queue}.dead`);
    const letters = all.filter(({ trackingId }) => values.id?.includes(trackingId) ?? true);
    if (command === 'list') list(letters);
    // npm runs this in the workspace; a path is meant from where npm was called.
    const file = resolve(process.env['INIT_CWD'] ?? '.', path ?? '');
    if (command === 'save') await save(channel, letters, file);
    if (command === 'replay') await replay(channel, letters, queue, ttlSeconds);
    const closed = once(channel, 'close');
    await channel.close();
    await closed.catch(() => {});
  } finally {
    await connection.close();
  }
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
