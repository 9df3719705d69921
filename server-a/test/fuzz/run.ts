/**
 * Sends hostile and honest requests to a gateway, and says what must not be: `make fuzz`.
 *
 *     tsx dev/with-services.ts tsx test/fuzz/run.ts [--seed N] [--inputs N] [--concurrency N] [--only NUMBER]
 *
 * --seed         the same seed gives the same inputs; printed, so that a run can be repeated
 * --inputs       requests, or what stands for one, to send; several go over one connection (default 100,000)
 * --concurrency  connections at a time
 * --only         plays one connection of the seed alone, and shows its bytes
 *
 * Exits with 1 when anything was violated.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { KEY_LENGTH, type Report, runCampaign } from './campaign.js';
import { scriptOf } from './script.js';

function show({ inputs, connections, answers, seconds, ...rest }: Report): string {
  const statuses = Object.entries(answers).map(([status, count]) => `${status}: ${count}`);
  return [
    `${inputs} inputs over ${connections} connections in ${seconds} s`,
    `answers          ${statuses.join(', ')}`,
    `honest requests  ${rest.probed} behind the inputs of a connection, answered`,
    `messages         ${rest.messages} of known requests, each once in the queue`,
    `slowest end      ${rest.slowestMs} ms`,
    ...(rest.lost === 0
      ? []
      : [`lost             ${rest.lost} connections that broke while the fuzzer stood still`]),
    `memory           ${rest.memoryMb.before} MB after a tenth, ${rest.memoryMb.after} MB at the end`,
    `descriptors      ${rest.descriptors.before} before, ${rest.descriptors.after} after`,
    `violations       ${rest.violations.length === 0 ? 'none' : ''}`,
    ...rest.violations.map((violation) => `  ${violation}`),
  ].join('\n');
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(randomInt(1_000_000)) },
    inputs: { type: 'string', default: '100000' },
    concurrency: { type: 'string', default: '64' },
    only: { type: 'string' },
  },
});
const seed = Number(values.seed);
const only = values.only === undefined ? undefined : Number(values.only);
process.stdout.write(`seed ${seed}\n`);
if (only !== undefined) {
  const script = scriptOf(
    seed,
    only,
    { active: 'a'.repeat(KEY_LENGTH), inactive: 'i'.repeat(KEY_LENGTH) },
    false,
  );
  for (const piece of script.pieces) process.stdout.write(`${JSON.stringify(piece.toString('latin1'))}\n`);
}
let shown = 0;
const report = await runCampaign({
  seed,
  inputs: Number(values.inputs),
  concurrency: Number(values.concurrency),
  ...(only !== undefined && { only }),
  progress: ({ inputs, seconds, violations }) => {
    process.stderr.write(`${inputs} inputs, ${seconds} s, ${violations.length} violations\n`);
    // A long run need not end before its first violation can be looked at.
    for (const violation of violations.slice(shown)) process.stderr.write(`  ${violation}\n`);
    shown = violations.length;
  },
});
process.stdout.write(`${show(report)}\n`);
process.exitCode = report.violations.length === 0 ? 0 : 1;
