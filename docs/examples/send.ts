/**
 * Sends one SMS, and sends again with the same key until there is a decision.
 *
 *     API_KEY=... npx tsx send.ts order-4711 +989121234567 'Your code is 123456'
 */

interface Sms {
  to: string;
  text: string;
  /** Seconds that it is worth sending. */
  ttl_seconds: number;
}

/** Milliseconds for one attempt; the gateway answers within 3 s. */
const ATTEMPT_MS = 5000;

/**
 * Returns the tracking id of an accepted message.
 *
 * @param key names the message: the same for every attempt at it, on whatever day and by whatever process
 * @throws Error when it is refused, or when there is no decision before it is worth nothing any more
 */
export async function sendSms(gatewayUrl: string, apiKey: string, key: string, sms: Sms): Promise<string> {
  const giveUpAt = Date.now() + sms.ttl_seconds * 1000;
  for (let attempt = 0; ; attempt += 1) {
    // fetch keeps its connections open and uses them again.
    const answer = await fetch(`${gatewayUrl}/api/v1/sms/send`, {
      method: 'POST',
      headers: { 'API-Key': apiKey, 'Idempotency-Key': key, 'Content-Type': 'application/json' },
      body: JSON.stringify(sms),
      signal: AbortSignal.timeout(ATTEMPT_MS),
    }).catch(() => undefined);
    const body = await answer?.text().catch(() => undefined);
    if (answer?.status === 202 && body !== undefined) return JSON.parse(body).tracking_id;
    // No answer, a fault, or one that says when to come back: the key makes that safe. Anything else is final.
    const retryAfter = Number(answer?.headers.get('Retry-After') ?? 0) || 0;
    const fault = answer === undefined || body === undefined || answer.status === 408 || answer.status >= 500;
    if (!fault && retryAfter === 0) throw new Error(`refused: ${answer.status} ${body}`);
    const seconds = Math.max(retryAfter, Math.min(2 ** attempt, 30) * Math.random());
    if (Date.now() + seconds * 1000 > giveUpAt) throw new Error(`no decision: ${body}`);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }
}

const [key, to, text] = process.argv.slice(2);
const { GATEWAY_URL = 'http://localhost:8000', API_KEY } = process.env;
if (!key || !to || !text || !API_KEY) throw new Error('usage: API_KEY=... send.ts <key> <to> <text>');
try {
  process.stdout.write(`${await sendSms(GATEWAY_URL, API_KEY, key, { to, text, ttl_seconds: 600 })}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
