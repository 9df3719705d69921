/**
 * The floor: a plain Node server that makes the same calls as the gateway for an accepted request, byte for byte (the same
 * Lua scripts with as long arguments, the same message with the same properties, its confirm), with ioredis and amqplib
 * used plainly. No API keys, no validation, no gate, no errors, no time limits, no logs, no metrics: what a request must
 * cost in this design before any feature.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'amqplib';
import { Redis } from 'ioredis';
import { declareTopology } from '../src/rabbitmq/topology.js';
import { defineScripts } from '../src/redis/script-files.js';

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
const DIGEST = 'abcdefghij';
const TERMS = '0 3000 86400000 18000 86400';
const FINGERPRINTS = { clients: '0'.repeat(64), providers: '1'.repeat(64) };

async function accept(request: IncomingMessage, response: ServerResponse, text: string): Promise<void> {
  const body: { to: string; text: string } = JSON.parse(text);
  const client = String(request.headers['api-key']);
  const key = request.headers['idempotency-key'];
  const trackingId: string = randomUUID();
  const owner = `AbCdEfGh${(claims++).toString(36)}`;
  const mark = trackingId + DIGEST;
  const record = `idem:${client}:${String(key)}`;
  const counter = `quota:${client}:2000-01-01`;
  const limit = 1_000_000_000;
  // As long as the gateway's, and never over.
  const [from, deadline] = [1_000_000_000_000, 9_999_999_999_999];
  if (key === undefined) await redis.quotaConsume(1, counter, limit, 86_400, from, deadline, 1, 0);
  else await redis.admit(2, record, counter, TERMS, limit, from, deadline, 0, mark + owner);
  const message = Buffer.from(
    JSON.stringify({
      tracking_id: trackingId,
      client_key: client,
      to: body.to,
      text: body.text,
      ttl_seconds: 3600,
      providers_effective: [],
      config_fingerprint: FINGERPRINTS,
      created_at: new Date().toISOString(),
    }),
  );
  await new Promise<void>((resolve, reject) => {
    const properties = {
      persistent: true,
      mandatory: true,
      contentType: 'application/json',
      messageId: trackingId,
      correlationId: owner,
      timestamp: Math.floor(Date.now() / 1000),
      appId: 'server-a',
      type: 'sms.outbound.v1',
      expiration: '3600000',
    };
    channel.publish('', RABBITMQ_OUTBOUND_QUEUE, message, properties, (error: unknown) =>
      error === null ? resolve() : reject(error),
    );
  });
  if (key !== undefined) await redis.settle(1, record, 'answered', 86_400_000, 0, mark);
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

// A profile is written at an orderly end only.
process.once('SIGTERM', () => process.exit(0));
