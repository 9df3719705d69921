/** docs/sending.md: its examples are the files, the files work, and its table has every code. */
import { randomUUID } from 'node:crypto';
import test from 'ava';
import { ERRORS } from '../../src/errors.js';
import {
  BATCH_EXAMPLES,
  EXAMPLES,
  exampleText,
  LANGUAGES,
  type Language,
  proxied,
  type Run,
  runFile,
  SENDING_PAGE,
  startForExamples,
} from '../support/examples.js';
import { parseObject } from '../support/json.js';
import { codeBlocks, tableUnder } from '../support/markdown.js';
import { scrape } from '../support/metrics-page.js';
import { newBody } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

/** Runs an example, as its first lines say. */
function run(
  language: Language,
  url: string,
  apiKey: string,
  key: string,
  to: string,
  text: string,
): Promise<Run> {
  const args = language === 'sh' ? [key] : [key, to, text];
  const input = language === 'sh' ? JSON.stringify({ to, text }) : '';
  return runFile(language, EXAMPLES[language], args, url, apiKey, input);
}

test('send.sh: without an API key -> says how it is called, and sends nothing', async (t) => {
  const { code, stdout, stderr } = await run('sh', 'http://127.0.0.1:1', '', 'key', '+989121234567', 'Hello');
  t.is(code, 64);
  t.is(stdout, '');
  t.regex(stderr, /^Usage: API_KEY=/);
});

/** Tracking id that an example printed. */
function printedId(language: Language, stdout: string): unknown {
  return language === 'sh' ? parseObject(stdout)['tracking_id'] : stdout.trim();
}

test('sending.md: the code it shows -> the files of docs/examples', (t) => {
  for (const language of LANGUAGES) {
    const files = [EXAMPLES[language], BATCH_EXAMPLES[language]];
    const shown = codeBlocks(SENDING_PAGE).filter((block) => block.language === language);
    t.deepEqual(
      shown.map(({ text }) => text.trimEnd()),
      files.map((file) => exampleText(file).trimEnd()),
    );
  }
});

test('sending.md: the table of answers -> every error code', (t) => {
  const codes = tableUnder(SENDING_PAGE, 'What to do with each answer').map((row) => row['code'] ?? '');
  t.deepEqual([...new Set(codes.filter((code) => !code.startsWith('(')))].sort(), Object.keys(ERRORS).sort());
});

for (const language of LANGUAGES) {
  test(`sending.md, ${language}: accepted -> its tracking id printed, the message in the queue`, async (t) => {
    const { site, senders, outbox } = await startForExamples(t);
    const { to, text } = newBody();
    const { code, stdout, stderr } = await run(
      language,
      proxied(senders),
      site.apiKey('main'),
      randomUUID(),
      to,
      text,
    );
    t.is(code, 0, stderr);
    t.is(printedId(language, stdout), (await outbox.theOneWithText(text)).envelope['tracking_id']);
  });

  test(`sending.md, ${language}: refused -> said at once, with the code, and not tried again`, async (t) => {
    const { site, gateway, senders } = await startForExamples(t);
    const { text } = newBody();
    const { code, stderr } = await run(
      language,
      proxied(senders),
      site.apiKey('main'),
      randomUUID(),
      '12',
      text,
    );
    t.not(code, 0);
    t.regex(stderr, /INVALID_PAYLOAD/);
    const outcomes = { client: 'main', outcome: 'invalid_payload' };
    t.is((await scrape(gateway)).value('sms_send_requests_total', outcomes), 1);
  });

  test(`sending.md, ${language}: cut off before the answer -> sent again with its key, one message, one id`, async (t) => {
    const { site, senders, outbox } = await startForExamples(t);
    const { to, text } = newBody();
    senders.stallAnswers();
    const running = run(language, proxied(senders), site.apiKey('main'), randomUUID(), to, text);
    await waitFor('the message', async () => (await outbox.withText(text)).length === 1);
    senders.cut();
    senders.resume();
    const { code, stdout, stderr } = await running;
    t.is(code, 0, stderr);
    t.is(printedId(language, stdout), (await outbox.theOneWithText(text)).envelope['tracking_id']);
  });

  test(`sending.md, ${language}: 500 while the broker is away -> tried again until it is accepted`, async (t) => {
    const { site, gateway, broker, senders, outbox } = await startForExamples(t);
    const { to, text } = newBody();
    await broker.refuse();
    const running = run(language, proxied(senders), site.apiKey('main'), randomUUID(), to, text);
    await gateway.line('request', (line) => line['status'] === 500);
    await broker.accept();
    const { code, stderr } = await running;
    t.is(code, 0, stderr);
    await outbox.theOneWithText(text);
  });
}
