import test from 'ava';
import { UnitReport } from '../../../dev/unit-report.js';

/** What several AVAs have written, and the code each has ended with, as one report. */
function reportOf(...parts: readonly (readonly [code: number | string, ...lines: string[]])[]) {
  const written: string[] = [];
  const report = new UnitReport((line) => written.push(line));
  for (const [code, ...lines] of parts) {
    const part = report.begin();
    for (const line of lines) part.read(line);
    part.end(code);
  }
  return { succeeded: report.end(), text: written.join('\n') };
}

const GOOD = ['', '  ✔ a -> b', '  ✔ c -> d (1.2s)', '  ─', '', '  2 tests passed'] as const;

test('unit report: all tests pass -> each, and their sum', (t) => {
  const { succeeded, text } = reportOf(
    [0, ...GOOD],
    [0, '  ✔ e -> f', '  ─', '', '  1 test passed', '  1 test skipped'],
  );
  t.true(succeeded);
  t.is(text, '  ✔ a -> b\n  ✔ c -> d (1.2s)\n  ✔ e -> f\n  ─\n\n  3 tests passed\n  1 tests skipped');
});

test('unit report: tests fail in two processes -> why, for both; and sums of what passed and failed', (t) => {
  const bad = [
    '  ✔ g -> h',
    '  ✘ [fail]: i -> j',
    '  ─',
    '',
    '  i -> j',
    '',
    '  not equal',
    '',
    '  ─',
    '',
    '  1 test failed',
  ];
  const { succeeded, text } = reportOf([1, ...bad], [0, ...GOOD], [1, ...bad, '  1 uncaught exception']);
  t.false(succeeded);
  const [, end = ''] = text.split('─');
  t.is(
    end,
    '\n\n  i -> j\n\n  not equal\n\n  i -> j\n\n  not equal\n\n  4 tests passed\n  2 tests failed\n  1 uncaught exceptions',
  );
});

test('unit report: in colours -> counted all the same', (t) => {
  const { text } = reportOf([
    0,
    '  \u001b[32m✔\u001b[39m a',
    '  \u001b[90m─\u001b[39m',
    '',
    '  \u001b[32m1 test passed\u001b[39m',
  ]);
  t.true(text.endsWith('  1 tests passed'));
});

test('unit report: an AVA that ends without a report -> said, and not a success', (t) => {
  const { succeeded, text } = reportOf([0, ...GOOD], ['SIGKILL', '  ✔ e -> f']);
  t.false(succeeded);
  t.regex(text, /AVA ended with SIGKILL, and without a report\.\n\n {2}3 tests passed$/);
});

test('unit report: an AVA fails for another reason -> its words stay, and it is not a success', (t) => {
  const { succeeded, text } = reportOf(
    [0, ...GOOD],
    [1, '  ✘ No tests found in all-2-of-2.ts', '  ─', '', '  Timed out'],
  );
  t.false(succeeded);
  t.true(text.includes('No tests found') && text.includes('Timed out'));
});
