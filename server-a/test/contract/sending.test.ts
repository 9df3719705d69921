/** docs/sending.md: its examples are the files, the files work, and its table has every code. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { ERRORS } from '../../src/errors.js';
import { parseObject } from '../support/json.js';
import { codeBlocks, tableUnder } from '../support/markdown.js';
import { scrape } from '../support/metrics-page.js';
import { newBody, Site } from '../support/site.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { RABBITMQ_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

const DOCS = new URL('../../../docs/', import.meta.url);
const DOCUMENT = readFileSync(new URL('sending.md', DOCS), 'utf8');
const EXAMPLES = { sh: 'send.sh', ts: 'send.ts', python: 'send.py' } as const;
type Language = keyof typeof EXAMPLES;
const LANGUAGES = ['sh', 'ts', 'python'] as const;

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs an example, as its first lines say. */
function run(
  language: Language,
  url: string,
  apiKey: string,
  key: string,
  to: string,
  text: string,
): Promise<Run> {
  const file = fileURLToPath(new URL(`examples/${EXAMPLES[language]}`, DOCS));
  const [command, ...args] = {
    sh: [file, key],
    ts: [process.execPath, '--import=tsx', file, key, to, text],
    python: ['python3', file, key, to, text],
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
    child.stdin.end(language === 'sh' ? JSON.stringify({ to, text }) : '');
  });
}

/** Tracking id that an example printed. */
function printedId(language: Language, stdout: string): unknown {
  return language === 'sh' ? parseObject(stdout)['tracking_id'] : stdout.trim();
}

async function start(t: ExecutionContext) {
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

test('sending.md: the code it shows -> the files of docs/examples', (t) => {
  for (const language of LANGUAGES) {
    const file = readFileSync(new URL(`examples/${EXAMPLES[language]}`, DOCS), 'utf8');
    const shown = codeBlocks(DOCUMENT).filter((block) => block.language === language);
    t.deepEqual(
      shown.map(({ text }) => text.trimEnd()),
      [file.trimEnd()],
    );
  }
});

test('sending.md: the table of answers -> every error code', (t) => {
  const codes = tableUnder(DOCUMENT, 'What to do with each answer').map((row) => row['code'] ?? '');
  t.deepEqual([...new Set(codes.filter((code) => !code.startsWith('(')))].sort(), Object.keys(ERRORS).sort());
});

for (const language of LANGUAGES) {
  test(`sending.md, ${language}: accepted -> its tracking id printed, the message in the queue`, async (t) => {
    const { site, senders, outbox } = await start(t);
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
    const { site, gateway, senders } = await start(t);
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
    const { site, senders, outbox } = await start(t);
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
    const { site, gateway, broker, senders, outbox } = await start(t);
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

const proxied = ({ url }: TcpProxy): string => url.replace(/\/$/, '');
