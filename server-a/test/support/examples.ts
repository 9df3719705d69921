/** The examples of docs/sending.md, and what they are run against. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { Site } from './site.js';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';
import { RABBITMQ_URL } from './test-services.js';

const DOCS = new URL('../../../docs/', import.meta.url);

/** The page that shows them. */
export const SENDING_PAGE = readFileSync(new URL('sending.md', DOCS), 'utf8');

/** Files that send one message, by the language of their blocks. */
export const EXAMPLES = { sh: 'send.sh', ts: 'send.ts', python: 'send.py' } as const;
/** Files that send batches. */
export const BATCH_EXAMPLES = { sh: 'send-batch.sh', ts: 'send-batch.ts', python: 'send-batch.py' } as const;
/** A language of the examples. */
export type Language = keyof typeof EXAMPLES;
export const LANGUAGES = ['sh', 'ts', 'python'] as const;

/** Returns the text of an example. */
export function exampleText(name: string): string {
  return readFileSync(new URL(`examples/${name}`, DOCS), 'utf8');
}

/** What an example said, and how it ended. */
export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a file of docs/examples. @param input what it reads */
export function runFile(
  language: Language,
  name: string,
  given: readonly string[],
  url: string,
  apiKey: string,
  input: string,
): Promise<Run> {
  const file = fileURLToPath(new URL(`examples/${name}`, DOCS));
  const [command, ...args] = {
    sh: [file, ...given],
    ts: [process.execPath, '--import=tsx', file, ...given],
    python: ['python3', file, ...given],
  }[language];
  return new Promise((resolve, reject) => {
    const child = spawn(command ?? '', args, {
      env: { PATH: process.env['PATH'] ?? '', GATEWAY_URL: url, API_KEY: apiKey },
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
    // An example that ends before it has read what it is given closes the pipe.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

/** Starts a gateway whose broker and whose senders are behind proxies. */
export async function startForExamples(t: ExecutionContext) {
  const site = new Site();
  t.teardown(() => site.close());
  const broker = await startTcpProxy(RABBITMQ_URL);
  t.teardown(() => broker.close());
  const gateway = await site.startGateway({ RABBITMQ_URL: broker.url });
  const senders: TcpProxy = await startTcpProxy(`http://127.0.0.1:${gateway.port}`);
  t.teardown(() => senders.close());
  const outbox = await site.openOutbox();
  return { site, gateway, broker, senders, outbox };
}

/** URL of a gateway by way of a proxy, as examples want it. */
export const proxied = ({ url }: TcpProxy): string => url.replace(/\/$/, '');
