/** Waits of a simulated process, whichever way its code asks for them. */
import { setTimeout as delay, setImmediate as turnOfTheLoop } from 'node:timers/promises';
import test from 'ava';
import { InjectedFailures } from './injected-failures.js';
import { Process } from './process.js';
import { noStepFails } from './scenario.js';
import { installVirtualGlobals, useTime } from './virtual-globals.js';
import { PHASE, VirtualTime } from './virtual-time.js';

installVirtualGlobals();

test('virtual globals: waits that are promises -> pass in virtual time, and go on as the process that waited', async (t) => {
  const time = new VirtualTime();
  useTime(time);
  t.teardown(() => useTime(undefined));
  const processes = ['g1', 'g2'].map(
    (name) =>
      new Process({
        name,
        time,
        seed: 1,
        failures: new InjectedFailures(1, undefined, () => time.now),
        rates: noStepFails(),
        epochMs: 0,
        wallClockSkew: () => 0,
        onKilled: () => {},
      }),
  );
  const seen: { readonly name: string; readonly step: string; readonly ms: number }[] = [];
  for (const process of processes) {
    time.at(5, PHASE.io, process, async () => {
      for (const [step, wait] of [
        ['turn', () => turnOfTheLoop()],
        ['delay', () => delay(100)],
        ['turn', () => turnOfTheLoop()],
      ] as const) {
        await wait();
        t.is(time.current, process);
        seen.push({ name: process.name, step, ms: Math.floor(time.now / 10) * 10 });
      }
    });
  }
  await time.run(1000);
  t.deepEqual(
    seen.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)),
    ['g1', 'g2'].flatMap((name) => [
      { name, step: 'turn', ms: 0 },
      { name, step: 'delay', ms: 100 },
      { name, step: 'turn', ms: 100 },
    ]),
  );
});
