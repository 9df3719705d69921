/** docs/sending.md: the examples of batches work. */
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import test, { type ExecutionContext } from 'ava';
import { itemsOf } from '../support/batches.js';
import {
  BATCH_EXAMPLES,
  LANGUAGES,
  type Language,
  proxied,
  runFile,
  startForExamples,
} from '../support/examples.js';
import { asList, asObject, parseObject } from '../support/json.js';
import { scrape } from '../support/metrics-page.js';
import { waitFor } from '../support/wait-for.js';

/** Runs an example of a batch with these messages. */
function runBatch(
  language: Language,
  url: string,
  apiKey: string,
  messages: readonly object[],
): ReturnType<typeof runFile> {
  const lines = messages.map((message) => JSON.stringify(message));
  const input = language === 'sh' ? `{"messages":[${lines.join(',')}]}` : lines.join('\n');
  return runFile(language, BATCH_EXAMPLES[language], [], url, apiKey, input);
}

/** Tracking ids or error codes that an example of a batch printed, by key. */
function printedOfBatch(language: Language, stdout: string): ReadonlyMap<unknown, unknown> {
  if (language !== 'sh') {
    return new Map(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(' '))
        .map(([key, , said]) => [key, said]),
    );
  }
  return new Map(
    asList(parseObject(stdout)['results']).map((result) => {
      const { idempotency_key: key, body } = asObject(result);
      return [key, asObject(body)['tracking_id'] ?? asObject(body)['error_code']];
    }),
  );
}

/** Starts a proxy that cuts the first answer off in its body, and lets all others through. Returns its URL. */
async function startCuttingProxy(t: ExecutionContext, port: number): Promise<string> {
  let cut = false;
  const proxy = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const asking = request({ host: '127.0.0.1', port, method, path: url, headers }, async (answer) => {
      const body = await buffer(answer);
      outgoing.writeHead(answer.statusCode ?? 0, answer.headers);
      if (cut) {
        outgoing.end(body);
        return;
      }
      cut = true;
      outgoing.write(body.subarray(0, body.length / 2), () => outgoing.destroy());
    });
    incoming.pipe(asking);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.teardown(() => proxy.close());
  const address = proxy.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

for (const language of LANGUAGES) {
  test(`sending.md, batch in ${language}: accepted -> each with its tracking id, the messages in the queue`, async (t) => {
    const { site, senders, outbox } = await startForExamples(t);
    const items = itemsOf(language === 'sh' ? 3 : 130);
    const { code, stdout, stderr } = await runBatch(language, proxied(senders), site.apiKey('main'), items);
    t.is(code, 0, stderr);
    const printed = printedOfBatch(language, stdout);
    t.is(printed.size, items.length);
    await outbox.settled();
    for (const { idempotency_key: key, text } of items) {
      t.is(printed.get(key), (await outbox.theOneWithText(text)).envelope['tracking_id']);
    }
  });

  test(`sending.md, batch in ${language}: one is refused -> said, and the others are accepted; not tried again`, async (t) => {
    const { site, gateway, senders, outbox } = await startForExamples(t);
    const [good, bad] = itemsOf(2);
    const sent = [{ ...bad, to: '12' }, { ...good }];
    const { code, stdout, stderr } = await runBatch(language, proxied(senders), site.apiKey('main'), sent);
    t.is(code, 1, stderr);
    t.regex(stdout, /INVALID_PAYLOAD/);
    await outbox.theOneWithText(good?.text ?? '');
    const outcomes = { client: 'main', outcome: 'invalid_payload' };
    t.is((await scrape(gateway)).value('sms_send_requests_total', outcomes), 1);
  });

  test(`sending.md, batch in ${language}: cut off before the answer -> sent again with its keys, one message each`, async (t) => {
    const { site, senders, outbox } = await startForExamples(t);
    const items = itemsOf(5);
    senders.stallAnswers();
    const running = runBatch(language, proxied(senders), site.apiKey('main'), items);
    await waitFor('the messages', async () => {
      await outbox.settled();
      return outbox.received.length === 5;
    });
    senders.cut();
    senders.resume();
    const { code, stdout, stderr } = await running;
    t.is(code, 0, stderr);
    for (const { idempotency_key: key, text } of items) {
      t.is(
        printedOfBatch(language, stdout).get(key),
        (await outbox.theOneWithText(text)).envelope['tracking_id'],
      );
    }
  });

  test(`sending.md, batch in ${language}: a refusal that is replayed -> still said to be refused`, async (t) => {
    const { site, senders } = await startForExamples(t);
    const [good, bad] = itemsOf(2);
    const sent = [{ ...good }, { ...bad, to: '12' }];
    for (const time of ['first', 'second']) {
      const { code, stdout } = await runBatch(language, proxied(senders), site.apiKey('main'), sent);
      t.is(code, 1, `${time}: ${stdout}`);
      t.is(printedOfBatch(language, stdout).size, 2);
    }
  });

  test(`sending.md, batch in ${language}: cut off within the answer -> sent again with its keys`, async (t) => {
    const { site, gateway } = await startForExamples(t);
    const items = itemsOf(2);
    const url = await startCuttingProxy(t, gateway.port);
    const { code, stdout, stderr } = await runBatch(language, url, site.apiKey('main'), items);
    t.is(code, 0, stderr);
    t.is(printedOfBatch(language, stdout).size, 2);
  });

  test(`sending.md, batch in ${language}: 500 for each while the broker is away -> tried again until they are accepted`, async (t) => {
    const { site, gateway, broker, senders, outbox } = await startForExamples(t);
    const items = itemsOf(2);
    await broker.refuse();
    const running = runBatch(language, proxied(senders), site.apiKey('main'), items);
    await gateway.line('batch.item_refused', (line) => line['status'] === 500);
    await broker.accept();
    const { code, stderr } = await running;
    t.is(code, 0, stderr);
    for (const { text } of items) await outbox.theOneWithText(text);
  });
}
