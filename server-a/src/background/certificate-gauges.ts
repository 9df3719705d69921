/** Keeps the gauges of the certificates' ends up to date: those of files, and the one that each server shows. */
import { connect } from 'node:tls';
import type { Environment } from '../config/environment.js';
import { certificatesIn, type TlsFiles } from '../config/tls.js';
import { type Address, addressesOf, asksForTls, DEFAULT_PORTS } from '../config/urls.js';
import type { Metrics } from '../metrics.js';

/** Milliseconds between two looks: a certificate is renewed days before its end. */
const LOOK_EVERY_MS = 600_000;
/** Milliseconds before the next look at a server that did not answer: it may only be starting. */
const RETRY_MS = 15_000;
/** Milliseconds for a server's handshake. */
const HANDSHAKE_LIMIT_MS = 3000;
/** One service that may be reached over TLS. */
export interface TlsTarget {
  /** Value of the label `service`. */
  readonly service: 'redis' | 'rabbitmq';
  /** Servers to look at; none = the service is not reached over TLS. */
  readonly addresses: readonly Address[];
  /** Read at each look: files may be renewed. */
  readonly files: () => TlsFiles;
}

/** Returns what is to be looked at. @param tls the files in force, by service */
export function tlsTargets(
  env: Pick<Environment, 'REDIS_MODE' | 'REDIS_URL' | 'RABBITMQ_URL'>,
  tls: Readonly<Record<TlsTarget['service'], { readonly files: TlsFiles }>>,
): TlsTarget[] {
  const redisPort = env.REDIS_MODE === 'sentinel' ? DEFAULT_PORTS.sentinel : DEFAULT_PORTS.redis;
  const target = (service: TlsTarget['service'], urls: string, port: number): TlsTarget => ({
    service,
    addresses: asksForTls(urls) ? addressesOf(urls, port) : [],
    files: () => tls[service].files,
  });
  return [
    target('redis', env.REDIS_URL, redisPort),
    target('rabbitmq', env.RABBITMQ_URL, DEFAULT_PORTS.amqps),
  ];
}

/** Gauges that are kept up to date. */
export interface CertificateGauges {
  /** Looks now, and every few minutes from then on: for new files. */
  readonly refreshNow: () => void;
  readonly stop: () => void;
}

/**
 * Begins to look at certificates. A server's own is seen by a handshake on a connection of its own, which is closed at
 * once; a server that cannot be reached keeps the value that it had.
 */
export function startCertificateGauges(
  targets: readonly TlsTarget[],
  metrics: Pick<Metrics, 'certificateExpiry'>,
): CertificateGauges {
  const encrypted = targets.filter(({ addresses }) => addresses.length > 0);
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const show = (service: string, certificate: string, end: number | undefined): void => {
    if (end !== undefined) metrics.certificateExpiry.set({ service, certificate }, end);
  };
  const look = async (): Promise<void> => {
    clearTimeout(timer);
    const answered = await Promise.all(
      encrypted.map(async ({ service, addresses, files }) => {
        const { ca, cert } = files();
        show(service, 'authority', ca && firstEnd(ca));
        show(service, 'client', cert && firstEnd(cert));
        const ends = await Promise.all(addresses.map((address) => endOfServer(address, files())));
        const known = ends.filter((end) => end !== undefined);
        if (known.length > 0) show(service, 'server', Math.min(...known));
        return known.length === ends.length;
      }),
    );
    if (stopped) return;
    clearTimeout(timer);
    timer = setTimeout(look, answered.every(Boolean) ? LOOK_EVERY_MS : RETRY_MS);
    timer.unref();
  };
  if (encrypted.length > 0) void look();
  return {
    refreshNow: () => void (encrypted.length > 0 && look()),
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** The end of the certificate that ends first, in seconds since 1970. */
function firstEnd(pem: Buffer): number {
  return Math.min(...certificatesIn(pem).map(({ validTo }) => Date.parse(validTo) / 1000));
}

/** The end of the certificate that a server shows, in seconds since 1970; undefined when it shows none in time. */
function endOfServer({ host, port }: Address, files: TlsFiles): Promise<number | undefined> {
  return new Promise((resolve) => {
    const socket = connect({
      ...files,
      host,
      port,
      servername: /^[\d.]+$|:/.test(host) ? '' : host,
      // One that is not valid, or not any more, is what this is to show.
      rejectUnauthorized: false,
    });
    const end = (seconds?: number): void => {
      clearTimeout(limit);
      socket.destroy();
      resolve(seconds);
    };
    const limit = setTimeout(end, HANDSHAKE_LIMIT_MS);
    limit.unref();
    socket.on('error', () => end());
    socket.once('secureConnect', () => {
      const seconds = Date.parse(socket.getPeerCertificate().valid_to) / 1000;
      end(Number.isFinite(seconds) ? seconds : undefined);
    });
  });
}
