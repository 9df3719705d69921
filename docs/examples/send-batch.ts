/**
 * Sends many SMS in batches, and each of them again with its key until there is a decision.
 *
 *     API_KEY=... npx tsx send-batch.ts < messages.ndjson
 *
 * Reads a message a line: {"idempotency_key":"order-4711","to":"+989121234567","text":"On its way."}. Prints a line for each:
 * key, status, and tracking id or error code. Exit code 1 where one was not accepted.
 */

interface Sms {
  /** Names the message: the same for every attempt at it, on whatever day and by whatever process. */
  idempotency_key: string;
  to: string;
  text: string;
}

interface Result {
  index: number;
  idempotency_key: string;
  status: number;
  body: { tracking_id?: string; error_code?: string };
  retry_after?: number;
}

const BATCH_SIZE = 100;
/** Milliseconds for one attempt; the gateway answers within 3 s. */
const ATTEMPT_MS = 5000;
/** Milliseconds that the messages are worth sending. */
const WORTH_MS = 600_000;

/**
 * Sends up to 100 messages; returns what became of each, by its key.
 *
 * @throws Error when they are refused as a whole, or when there is no answer before they are worth nothing any more
 */
export async function sendBatch(gatewayUrl: string, apiKey: string, messages: Sms[]): Promise<Result[]> {
  const results = new Map<string, Result>();
  const giveUpAt = Date.now() + WORTH_MS;
  let left = messages;
  for (let attempt = 0; ; attempt += 1) {
    const answer = await fetch(`${gatewayUrl}/api/v1/sms/send-batch`, {
      method: 'POST',
      headers: { 'API-Key': apiKey, 'Content-Type': 'application/json' },
      body: JSON.stringify({ messages: left }),
      signal: AbortSignal.timeout(ATTEMPT_MS),
    }).catch(() => undefined);
    const body = await answer?.text().catch(() => undefined);
    let seconds = Math.min(2 ** attempt, 30) * Math.random();
    if (answer?.status === 207 && body !== undefined) {
      const sent = left;
      left = [];
      for (const result of JSON.parse(body).results as Result[]) {
        results.set(result.idempotency_key, result);
        // What says when to come back is sent again, with its key; anything else is final.
        const message = sent[result.index];
        const { retry_after: pause } = result;
        if (message === undefined || pause === undefined || Date.now() + pause * 1000 > giveUpAt) continue;
        left.push(message);
        seconds = Math.max(seconds, pause);
      }
      if (left.length === 0) return [...results.values()];
    } else if (answer !== undefined && body !== undefined && answer.status !== 408 && answer.status < 500) {
      throw new Error(`refused as a whole: ${answer.status} ${body}`);
    }
    if (Date.now() + seconds * 1000 > giveUpAt) throw new Error(`no decision on ${left.length} messages`);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }
}

const { GATEWAY_URL = 'http://localhost:8000', API_KEY } = process.env;
if (!API_KEY) throw new Error('usage: API_KEY=... send-batch.ts < messages.ndjson');
let text = '';
for await (const chunk of process.stdin.setEncoding('utf8')) text += chunk;
const messages = text
  .split('\n')
  .filter((line) => line !== '')
  .map((line): Sms => JSON.parse(line));
for (let first = 0; first < messages.length; first += BATCH_SIZE) {
  for (const result of await sendBatch(GATEWAY_URL, API_KEY, messages.slice(first, first + BATCH_SIZE))) {
    const { idempotency_key: key, status, body } = result;
    process.stdout.write(`${key} ${status} ${status === 202 ? body.tracking_id : body.error_code}\n`);
    if (status !== 202) process.exitCode = 1;
  }
}
