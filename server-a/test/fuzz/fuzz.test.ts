/** A short run of the fuzzer, always the same; `make fuzz` runs longer ones, each another. */
import test from 'ava';
import { runCampaign } from './campaign.js';

test('fuzz: 20,000 inputs, honest and hostile -> each answered as documented or its connection closed, counted, logged; all as before at the end', async (t) => {
  const report = await runCampaign({ seed: 3, inputs: 20_000, round: 1300, concurrency: 32 });
  t.deepEqual(report.violations, []);
  t.true(report.inputs >= 20_000);
  // It shows nothing unless it gets through to every kind of answer.
  for (const status of [200, 202, 207, 400, 401, 404, 405, 408, 413, 415, 422, 431]) {
    t.true((report.answers[status] ?? 0) > 0, `no answer ${status}`);
  }
  t.true(report.messages > 500, `${report.messages} messages`);
});
