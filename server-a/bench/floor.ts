/**
 * The floor: a plain Node server that does just the irreducible work of an accepted request, with the same Lua scripts
 * and the same publish, and ioredis and amqplib used plainly. No validation, no gate, no errors, no logs, no metrics:
 * what a request must cost in this design before any feature.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'amqplib';
import { Redis } from 'ioredis';
import { declareTopology } from '../src/rabbitmq/topology.js';
import { defineScripts } from '../src/redis/scripts.js';

const { REDIS_URL = '', RABBITMQ_URL = '', RABBITMQ_OUTBOUND_QUEUE = '', SERVER_A_PORT = '0' } = process.env;

const redis = new Redis(REDIS_URL);
defineScripts(redis);
const broker = await connect(RABBITMQ_URL, { noDelay: true });
const channel = await broker.createConfirmChannel();
await declareTopology(channel, {
  outboundQueue: RABBITMQ_OUTBOUND_QUEUE,
  heartbeatQueue: `${RABBITMQ_OUTBOUND_QUEUE}.heartbeat`,
  queueType: 'quorum',
});

let claims = 0;

async function accept(request: IncomingMessage, response: ServerResponse, text: string): Promise<void> {
  const body: { to: string; text: string } = JSON.parse(text);
  const client = String(request.headers['api-key']);
  const key = request.headers['idempotency-key'];
  let trackingId: string = randomUUID();
  const id = trackingId.replaceAll('-', '');
  const owner = `owner-${claims++}`;
  const record = `idem:${client}:${String(key)}`;
  if (key !== undefined) {
    const reply = await redis.idempotencyClaim(record, id, owner, 'abcdefghij', 3000, 86_400, 0, 0);
    trackingId = String(reply[1]);
  }
  const counter = `quota:${client}:floor`;
  await redis.quotaConsume(counter, `{${counter}}:recent`, 1_000_000_000, 86_400, 0, owner, '', 10_000, 120);
  const message = Buffer.from(
    JSON.stringify({
      tracking_id: trackingId,
      client_key: client,
      to: body.to,
      text: body.text,
      ttl_seconds: 3600,
      providers_effective: [],
      created_at: new Date().toISOString(),
    }),
  );
  await new Promise<void>((resolve, reject) => {
    const properties = { persistent: true, mandatory: true, messageId: trackingId, expiration: '3600000' };
    channel.publish('', RABBITMQ_OUTBOUND_QUEUE, message, properties, (error: unknown) =>
      error === null ? resolve() : reject(error),
    );
  });
  if (key !== undefined) await redis.idempotencyStore(record, owner, id, 'abcdefghij', 202, '', 86_400_000);
  const answer = JSON.stringify({
    success: true,
    message: 'Request accepted for processing.',
    tracking_id: trackingId,
  });
  response.writeHead(202, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(answer),
  });
  response.end(answer);
}

createServer((request, response) => {
  let text = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => {
    text += chunk;
  });
  request.on('end', () => {
    accept(request, response, text).catch(() => {
      response.writeHead(500).end();
    });
  });
}).listen(Number(SERVER_A_PORT), '127.0.0.1', () => process.stdout.write('{"message":"gateway.started"}\n'));
