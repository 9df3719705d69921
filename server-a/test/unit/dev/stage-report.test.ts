import test from 'ava';
import { StageReport } from '../../../dev/stage-report.js';

function reportOf(...lines: readonly string[]): string[] {
  const report = new StageReport('light');
  for (const line of lines) report.read(line);
  return report.lines;
}

test('stage report: a test has failed -> why, and then which, without those that passed', (t) => {
  t.deepEqual(
    reportOf(
      '  ✔ a -> b',
      '  \u001b[31m✘\u001b[39m [fail]: c -> d (1.2s) Not equal',
      '    ℹ seed 4711',
      '  ✔ e -> f',
      '  \u001b[90m─\u001b[39m',
      '',
      '  c -> d',
      '',
      '  ─',
      '',
      '  1 test failed',
    ),
    [
      'The stage light failed:',
      '',
      '  c -> d',
      '',
      '  ─',
      '',
      '  1 test failed',
      '  \u001b[31m✘\u001b[39m [fail]: c -> d (1.2s) Not equal',
    ],
  );
});

test('stage report: no report at the end -> it is said', (t) => {
  t.deepEqual(reportOf('  ✔ a -> b', '  ✘ [fail]: c -> d'), [
    'The stage light failed:',
    '',
    '  It ended without a report.',
    '',
    '  ✘ [fail]: c -> d',
  ]);
});
