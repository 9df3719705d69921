/** Bodies that come compressed: whole, cut, corrupt, larger than the limit, and broken off by their sender. */
import { randomUUID } from 'node:crypto';
import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib';
import test from 'ava';
import { asList, asObject } from '../support/json.js';
import { scrape } from '../support/metrics-page.js';
import { SEND_PATH } from '../support/paths.js';
import { connectRaw, splitAnswers } from '../support/raw-connection.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const site = new Site();
const gateway = await site.startGateway();
const outbox = await site.openOutbox();
const apiKey = site.apiKey('main');

test.after.always(() => site.close());

const CODINGS = {
  gzip: (bytes: Buffer) => gzipSync(bytes),
  deflate: (bytes: Buffer) => deflateSync(bytes),
  br: (bytes: Buffer) => brotliCompressSync(bytes),
} as const;

const send = (body: Buffer, coding: string, idempotencyKey?: string) =>
  gateway.send({
    apiKey,
    body,
    headers: { 'Content-Encoding': coding },
    ...(idempotencyKey !== undefined && { idempotencyKey }),
  });

for (const [coding, compress] of Object.entries(CODINGS)) {
  const whole = (): Buffer => compress(Buffer.from(JSON.stringify(newBody())));

  test(`compressed body: ${coding}, whole -> accepted, and its text arrives`, async (t) => {
    const body = newBody();
    t.is((await send(compress(Buffer.from(JSON.stringify(body))), coding)).status, 202);
    t.is((await outbox.withText(body.text)).length, 1);
  });

  for (const keyed of [false, true]) {
    const which = keyed ? 'keyed' : 'unkeyed';
    const key = () => (keyed ? randomUUID() : undefined);

    test(`compressed body: ${coding}, ${which}, over the limit and cut short -> refused, and the gateway lives`, async (t) => {
      const bytes = compress(Buffer.alloc(40_000, ' '));
      for (const cut of [1, 2, 4, 8]) {
        const { status } = await send(bytes.subarray(0, -cut), coding, key());
        t.true(status === 400 || status === 413, `${status}`);
      }
      t.is((await send(whole(), coding, key())).status, 202);
    });

    test(`compressed body: ${coding}, ${which}, over the limit -> 413`, async (t) => {
      for (const size of [33_000, 10_000_000]) {
        t.is((await send(compress(Buffer.alloc(size, ' ')), coding, key())).status, 413);
      }
    });

    test(`compressed body: ${coding}, ${which}, cut short, corrupt, or followed by other bytes -> 400 that names the body`, async (t) => {
      const corrupt = whole();
      // From its beginning on: brotli has no checksum, and may take a changed byte of the text for another text.
      corrupt.fill(0xff, 1, 20);
      for (const bytes of [
        whole().subarray(0, -1),
        whole().subarray(0, 5),
        corrupt,
        Buffer.from('not compressed at all'),
        Buffer.alloc(0),
        Buffer.concat([whole(), Buffer.from('more')]),
      ]) {
        const answer = await send(bytes, coding, key());
        t.is(answer.status, 400);
        const errors = asList(asObject(answer.json['details'])['errors']).map(asObject);
        t.deepEqual(errors, [{ field: 'body', message: 'cannot be decompressed' }]);
      }
    });
  }

  test(`compressed body: ${coding}, written in capitals -> accepted`, async (t) => {
    t.is((await send(whole(), coding.toUpperCase())).status, 202);
  });
}

test.serial(
  'compressed body: 30 of brotli that ask for the largest window, at once -> each 413, and others are served meanwhile',
  async (t) => {
    const params = { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_QUALITY]: 5 };
    const bomb = brotliCompressSync(Buffer.alloc(20_000_000), { params });
    let open = 30;
    const refused = Array.from({ length: open }, async () => {
      const { status } = await send(bomb, 'br');
      open -= 1;
      return status;
    });
    let served = 0;
    while (open > 0) {
      t.true((await gateway.ask('/healthz')).tookMs < 3000);
      served += 1;
    }
    t.deepEqual(new Set(await Promise.all(refused)), new Set([413]));
    t.true(served > 10, `${served} others`);
  },
);

test('compressed body: a coding that nobody knows, or one on another -> 415', async (t) => {
  const body = Buffer.from(JSON.stringify(newBody()));
  for (const coding of ['zstd', 'gzip, br', '__proto__', 'toString']) {
    t.is((await send(body, coding)).status, 415, coding);
  }
});

for (const coding of ['gzip', 'identity']) {
  test.serial(
    `body: ${coding}, the connection is reset within it -> one line and one count, outcome aborted`,
    async (t) => {
      const labels = { client: 'main', outcome: 'aborted' };
      const before = (await scrape(gateway)).value('sms_send_requests_total', labels);
      const raw = await connectRaw(gateway.port);
      const path = `/nothing-${coding}`;
      const part = gzipSync(JSON.stringify(newBody())).subarray(0, 30);
      raw.socket.write(
        Buffer.concat([
          Buffer.from(
            `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\nPOST ${SEND_PATH} HTTP/1.1\r\nHost: x\r\nAPI-Key: ${apiKey}\r\nContent-Type: application/json\r\nContent-Encoding: ${coding}\r\nContent-Length: 1000\r\n\r\n`,
          ),
          part,
        ]),
      );
      // By then the gateway has begun with the request behind it.
      await gateway.line('request', (line) => line['path'] === path);
      raw.socket.resetAndDestroy();
      const lines = await waitFor('a line', () => {
        const aborted = gateway.log.filter(({ outcome }) => outcome === 'aborted');
        return aborted.length > before && aborted;
      });
      t.is(lines.length, before + 1);
      t.true(lines.every((line) => !('status' in line)));
      await waitFor('a count', async () => {
        return (await scrape(gateway)).value('sms_send_requests_total', labels) === before + 1;
      });
    },
  );

  test(`body: ${coding}, the sender ends its side within it -> one line and one count, a 400`, async (t) => {
    const raw = await connectRaw(gateway.port);
    const key = randomUUID();
    const part = gzipSync(JSON.stringify(newBody())).subarray(0, 30);
    raw.socket.write(
      `POST ${SEND_PATH} HTTP/1.1\r\nHost: x\r\nAPI-Key: ${apiKey}\r\nIdempotency-Key: ${key}\r\nContent-Type: application/json\r\ntraceparent: 00-${key.replaceAll('-', '')}-00f067aa0ba902b7-01\r\nContent-Encoding: ${coding}\r\nContent-Length: 1000\r\n\r\n`,
    );
    raw.socket.end(part);
    t.deepEqual(
      splitAnswers(await raw.closed).map(({ status }) => status),
      [400],
    );
    const line = await gateway.line('request', (line) => line['trace_id'] === key.replaceAll('-', ''));
    t.is(line['status'], 400);
  });
}

test.serial(
  'body: a compressed one refused before its end -> the next request on the connection is answered at once',
  async (t) => {
    const raw = await connectRaw(gateway.port);
    const body = JSON.stringify(newBody());
    const head = `POST ${SEND_PATH} HTTP/1.1\r\nHost: x\r\nAPI-Key: ${apiKey}\r\nContent-Type: application/json\r\n`;
    const bomb = Buffer.concat([gzipSync(Buffer.alloc(100_000, ' ')), Buffer.alloc(60_000)]);
    raw.socket.write(`${head}Content-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`);
    raw.socket.write(bomb);
    raw.socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`);
    const startedAt = performance.now();
    const answers = await Promise.race([
      raw.closed.then((received) => splitAnswers(received)),
      waitFor('two answers', () => {
        const got = splitAnswers(raw.received());
        return got.length === 2 && got.every(({ whole }) => whole) && got;
      }),
    ]);
    raw.socket.destroy();
    t.is(answers[0]?.status, 413);
    t.true(performance.now() - startedAt < 3000);
    t.true(answers[1]?.status === 202 || /^connection: close$/im.test(answers[0]?.head ?? ''));
  },
);
