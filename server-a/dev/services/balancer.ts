import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findFreePort } from './free-port.js';
import { ServiceProcess } from './service-process.js';

/** The balancers that deploy/ has examples for. */
export type BalancerKind = 'haproxy' | 'nginx';

/** A balancer before gateways on 127.0.0.1. */
export interface Balancer {
  readonly port: number;
  stop(): Promise<void>;
}

const DEPLOY = new URL('../../../deploy/', import.meta.url);
const CONFIG = {
  haproxy: fileURLToPath(new URL('haproxy/haproxy.cfg', DEPLOY)),
  nginx: fileURLToPath(new URL('nginx/nginx.conf', DEPLOY)),
} as const;

/**
 * Starts a balancer with its configuration of deploy/, in which only addresses and files are this machine's.
 *
 * @param gateways ports of the gateways
 * @throws Error with the end of its log when it does not start
 */
export async function startBalancer(
  kind: BalancerKind,
  dataDir: string,
  gateways: readonly number[],
): Promise<Balancer> {
  await mkdir(dataDir, { recursive: true });
  const port = await findFreePort();
  const config = join(dataDir, `${kind}.conf`);
  const text = await readFile(CONFIG[kind], 'utf8');
  await writeFile(
    config,
    kind === 'haproxy' ? forHaproxy(text, port, gateways) : forNginx(text, port, gateways, dataDir),
  );
  const process_ = new ServiceProcess({
    name: kind,
    port,
    command: kind === 'haproxy' ? '/usr/sbin/haproxy' : '/usr/sbin/nginx',
    args: kind === 'haproxy' ? ['-W', '-f', config] : ['-c', config, '-p', dataDir, '-g', 'daemon off;'],
    env: process.env,
    logFile: join(dataDir, `${kind}.log`),
    probe: async () => {
      const { status } = await fetch(`http://127.0.0.1:${port}/healthz`, {
        signal: AbortSignal.timeout(1000),
      });
      if (status !== 200) throw new Error(`/healthz says ${status}`);
    },
    readyWithinMs: 15_000,
    stopWithinMs: 5000,
  });
  await process_.start();
  return { port, stop: () => process_.kill() };
}

function forHaproxy(text: string, port: number, gateways: readonly number[]): string {
  const servers = gateways.map((gateway, index) => `    server gateway-${index + 1} 127.0.0.1:${gateway}`);
  return replaced(
    replaced(text, /bind :8000/, `bind 127.0.0.1:${port}`),
    /^ {4}server-template .*$/m,
    servers.join('\n'),
  );
}

function forNginx(text: string, port: number, gateways: readonly number[], dataDir: string): string {
  const servers = gateways.map((gateway) => `server 127.0.0.1:${gateway} max_fails=1 fail_timeout=2s;`);
  const changes: readonly (readonly [RegExp, string])[] = [
    [/listen 8000;/, `listen 127.0.0.1:${port};`],
    [/server gateway-1:8000.*\n.*server gateway-2:8000.*$/m, servers.join('\n')],
    [/pid .*;/, `pid ${dataDir}/nginx.pid;`],
    [
      /access_log off;/,
      `access_log off; error_log ${dataDir}/error.log; client_body_temp_path ${dataDir}/body; proxy_temp_path ${dataDir}/proxy; fastcgi_temp_path ${dataDir}/fastcgi; uwsgi_temp_path ${dataDir}/uwsgi; scgi_temp_path ${dataDir}/scgi;`,
    ],
  ];
  return changes.reduce((config, [pattern, by]) => replaced(config, pattern, by), text);
}

function replaced(text: string, pattern: RegExp, by: string): string {
  if (!pattern.test(text)) throw new Error(`${pattern} is not in the configuration`);
  return text.replace(pattern, () => by);
}
