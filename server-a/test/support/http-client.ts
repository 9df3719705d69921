import { Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { checkAgainstContract } from './contract.js';
import { type JsonObject, parseObject } from './json.js';

/** What to ask; the default is `GET`. */
export interface Question {
  readonly port: number;
  readonly path: string;
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
}

/** An answer, byte for byte. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  /** The body as a JSON object; throws when it is none. */
  readonly json: JsonObject;
  /** Milliseconds from the question to the last byte. */
  readonly tookMs: number;
}

const HANGS_AFTER_MS = 20_000;
const keepAlive = new Agent({ keepAlive: true, maxSockets: 400 });

/**
 * Asks over a kept-alive connection, and reads the whole answer.
 *
 * @throws Error when the connection breaks, or the answer is not as the contract has it
 */
export function ask(
  { port, path, method = 'GET', headers = {}, body }: Question,
  agent: Agent = keepAlive,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const outgoing = request({ host: '127.0.0.1', port, path, method, headers, agent }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => {
        const bytes = Buffer.concat(chunks);
        const { statusCode: status = 0, headers: received } = incoming;
        try {
          checkAgainstContract({ method, path, status, headers: received, text: bytes.toString('utf8') });
        } catch (error) {
          reject(error);
          return;
        }
        resolve({
          status,
          headers: received,
          bytes,
          text: bytes.toString('utf8'),
          get json() {
            return parseObject(bytes.toString('utf8'));
          },
          tookMs: performance.now() - startedAt,
        });
      });
    });
    outgoing.setTimeout(HANGS_AFTER_MS, () => outgoing.destroy(new Error(`no answer from ${path}`)));
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
