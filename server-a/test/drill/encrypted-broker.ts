/** The broker behind TLS, with certificates that end soon. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createServer } from 'node:tls';
import type { Variables } from '../../dev/services/gateway-process.js';
import { Authority } from '../support/certificates.js';

/** What ends TLS before the broker. */
export interface EncryptedBroker {
  /** For a replica that connects to it, and shows a certificate of its own that ends within a day. */
  readonly variables: Variables;
  readonly stop: () => void;
}

/**
 * Listens on the usual port for AMQP over TLS, and passes on what comes.
 *
 * @param folder for the certificates; made if missing
 * @param days until the certificate ends that it shows
 */
export async function encryptBroker(folder: string, days: number): Promise<EncryptedBroker> {
  const authority = Authority.create(folder, 'Authority of the drill', 90);
  const own = authority.issue({ name: 'broker', host: 'localhost', days });
  const client = authority.issue({ name: 'replica' });
  const server = createServer({ cert: readFileSync(own.cert), key: readFileSync(own.key) }, (outer) => {
    const inner = connect(5672, '127.0.0.1');
    for (const socket of [outer, inner]) socket.on('error', () => {});
    outer.on('close', () => inner.destroy());
    inner.on('close', () => outer.destroy());
    outer.pipe(inner).pipe(outer);
  });
  server.on('tlsClientError', () => {});
  await once(server.listen(5671), 'listening');
  return {
    variables: {
      RABBITMQ_URL: 'amqps://guest:guest@localhost:5671/',
      RABBITMQ_TLS_CA_FILE: authority.cert,
      RABBITMQ_TLS_CERT_FILE: client.cert,
      RABBITMQ_TLS_KEY_FILE: client.key,
    },
    stop: () => void server.close(),
  };
}
