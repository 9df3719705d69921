import test from 'ava';
import fc from 'fast-check';
import { describeError, maskApiKey } from '../../../src/logging/log.js';
import { logInto } from '../../support/log-into.js';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

for (const [index, level] of [...LEVELS, 'silent'].entries()) {
  test(`log: level ${level} -> that and above, each line with its four fields`, (t) => {
    const { log, lines } = logInto(level);
    for (const each of LEVELS) log[each]({ fact: 1 }, 'part.happened');
    t.deepEqual(
      lines.map((line) => line['level']),
      LEVELS.slice(index),
    );
    for (const { timestamp, level: _, ...rest } of lines) {
      t.deepEqual(rest, { service: 'a-service', fact: 1, message: 'part.happened' });
      t.is(new Date(String(timestamp)).toISOString(), String(timestamp));
    }
  });
}

test('log: a recipient, a text or an API key as a field -> redacted', (t) => {
  const { log, lines } = logInto('info');
  log.info({ to: '+989121234567', text: 'private', api_key: 'secret' }, 'part.happened');
  t.like(lines[0], { to: '[redacted]', text: '[redacted]', api_key: '[redacted]' });
});

test('log: an error -> its name, message, code and cause; no command, no password', (t) => {
  const { log, lines } = logInto('info');
  const cause = Object.assign(new Error('to redis://user:pass-word@redis:6379/0 and amqp://a:pass-word@b'), {
    command: { name: 'set', args: ['pass-word'] },
  });
  const err = Object.assign(new TypeError('failed', { cause }), { code: 'ECONNRESET', secret: 'pass-word' });
  log.error({ err }, 'part.failed');
  t.like(lines[0]?.['err'], {
    type: 'TypeError',
    message: 'failed',
    code: 'ECONNRESET',
    cause: { type: 'Error', message: 'to redis://***@redis:6379/0 and amqp://***@b' },
  });
  t.false(JSON.stringify(lines).includes('pass-word'));
});

for (const thrown of ['a text', 5, null, undefined]) {
  test(`log: ${String(thrown)} thrown in place of an error -> its type, and itself as a text`, (t) => {
    t.deepEqual(describeError(thrown), { type: typeof thrown, message: String(thrown) });
  });
}

test('log: an error whose message has several lines -> its stack is places alone, and shows no password', (t) => {
  const { stack, ...rest } = describeError(new Error('no way to\namqp://user:password@host\nnor to another'));
  t.deepEqual(rest, { type: 'Error', message: 'no way to\namqp://***@host\nnor to another' });
  const places: readonly unknown[] = Array.isArray(stack) ? stack : [];
  t.true(places.length > 0);
  for (const place of places) t.regex(String(place), /^at /);
});

test('mask: any key -> at most a quarter of it, at most six characters, then ***', (t) => {
  fc.assert(
    fc.property(fc.stringMatching(/^[!-~]{1,255}$/), (key) => {
      const masked = maskApiKey(key);
      t.true(masked.endsWith('***'));
      const shown = masked.slice(0, -3);
      t.true(key.startsWith(shown));
      t.true(shown.length <= Math.min(6, key.length / 4));
    }),
  );
  t.is(maskApiKey('api_key_for_service_A'), 'api_k***');
  t.is(maskApiKey('abc'), '***');
  // Six would show the prefix alone, the same of every key.
  t.is(maskApiKey('smsgw_0123456789ABCDEFGHIJKLMNOPQRSTUVabcdef'), 'smsgw_0123***');
});
