import test from 'ava';
import { ApiError } from '../../../src/errors.js';
import { identify } from '../../../src/layers/identify.js';
import { providerGate, reportBlocked } from '../../../src/layers/provider-gate.js';
import { createMetrics } from '../../../src/metrics.js';
import { configOf } from '../../support/configs.js';
import { API_KEYS, contextOf, thrownBy } from '../../support/context.js';
import { logInto } from '../../support/log-into.js';
import { MetricsPage } from '../../support/metrics-page.js';

const UP = { is_active: true, is_operational: true };
const PROVIDERS = {
  Alpha: { ...UP, aliases: ['First', 'alpha-sms'] },
  Beta: UP,
  Off: { ...UP, is_active: false, aliases: ['off-sms'] },
  Down: { ...UP, is_operational: false },
};
const CLIENTS = { [API_KEYS.active]: { name: 'Active' } };

interface Gated {
  /** Names that passed; undefined = it was refused. */
  readonly effective: readonly string[] | undefined;
  readonly refusal: ApiError | undefined;
  readonly lines: readonly object[];
  readonly page: MetricsPage;
}

/** Lets a request for these providers through the gate. */
async function gate(
  providers: readonly string[] | undefined,
  { enabled = true, configured = PROVIDERS }: { enabled?: boolean; configured?: object } = {},
): Promise<Gated> {
  const metrics = createMetrics();
  const { log, lines } = logInto('info');
  const ctx = contextOf({
    registry: configOf(CLIENTS, {}, configured).registry,
    headers: { 'api-key': API_KEYS.active },
    state: { request: { to: '+989121234567', text: 'Hello', ttlSeconds: 60, providers } },
  });
  const thrown = await thrownBy(ctx, identify(), providerGate({ enabled }));
  reportBlocked(ctx, metrics, log);
  if (thrown !== undefined && !(thrown instanceof ApiError)) throw thrown;
  return {
    effective: ctx.state.providersEffective,
    refusal: thrown,
    lines,
    page: new MetricsPage(await metrics.registry.metrics()),
  };
}

for (const [what, asked, expected] of [
  ['none named', undefined, []],
  ['an empty list', [], []],
  ['one that can be used', ['Beta'], ['Beta']],
  ['by an alias, in other letters', ['FIRST'], ['Alpha']],
  ['several -> their order is kept', ['Beta', 'Alpha'], ['Beta', 'Alpha']],
  ['one of them twice, once by an alias', ['first', 'Beta', 'Alpha'], ['Alpha', 'Beta']],
  ['some that cannot be used among them', ['Off', 'Beta', 'Down', 'Alpha'], ['Beta', 'Alpha']],
] as const satisfies readonly (readonly [string, readonly string[] | undefined, readonly string[]])[]) {
  test(`provider gate: ${what} -> ${JSON.stringify(expected)}, nothing logged`, async (t) => {
    const { effective, refusal, lines } = await gate(asked);
    t.is(refusal, undefined);
    t.deepEqual(effective, expected);
    t.deepEqual(lines, []);
  });
}

test('provider gate: one unknown name -> UNKNOWN_PROVIDER with the allowed ones, counted and logged once', async (t) => {
  const { refusal, lines, page, effective } = await gate(['Alpha', 'nobody', 'Off']);
  t.is(effective, undefined);
  t.is(refusal?.code, 'UNKNOWN_PROVIDER');
  t.deepEqual(refusal?.details, { unknown: ['nobody'], allowed: Object.keys(PROVIDERS) });
  t.is(page.value('sms_request_rejected_unknown_provider_total', { client: 'Active' }), 1);
  t.is(lines.length, 1);
  t.like(lines[0], {
    level: 'warn',
    message: 'provider_gate.blocked',
    error_code: 'UNKNOWN_PROVIDER',
    // Not what the sender wrote: it may be a number or a text in the wrong place.
    providers: ['Alpha', 'Off'],
    client: 'Active',
  });
});

test('provider gate: the one named is disabled -> PROVIDER_DISABLED with its canonical name', async (t) => {
  const { refusal, page } = await gate(['OFF-SMS', 'off']);
  t.is(refusal?.code, 'PROVIDER_DISABLED');
  t.deepEqual(refusal?.details, { provider: 'Off' });
  t.is(page.value('sms_request_rejected_provider_disabled_total', { client: 'Active', provider: 'Off' }), 1);
});

test('provider gate: all named ones are disabled -> ALL_PROVIDERS_DISABLED, counted for each', async (t) => {
  const { refusal, page } = await gate(['Down', 'Off']);
  t.is(refusal?.code, 'ALL_PROVIDERS_DISABLED');
  t.deepEqual(refusal?.details, { providers: ['Down', 'Off'] });
  for (const provider of ['Down', 'Off']) {
    t.is(page.value('sms_request_rejected_provider_disabled_total', { client: 'Active', provider }), 1);
  }
});

for (const [what, configured] of Object.entries({
  'no provider configured': {},
  'none of them available': { Off: PROVIDERS.Off, Down: PROVIDERS.Down },
})) {
  test(`provider gate: none named and ${what} -> NO_PROVIDER_AVAILABLE with Retry-After`, async (t) => {
    const { refusal, page } = await gate(undefined, { configured });
    t.is(refusal?.code, 'NO_PROVIDER_AVAILABLE');
    t.is(refusal?.headers['Retry-After'], '60');
    t.is(page.value('sms_request_rejected_no_provider_available_total', { client: 'Active' }), 1);
  });
}

test('provider gate: switched off -> nothing is refused; known names become canonical, others stay', async (t) => {
  const off = { enabled: false };
  t.deepEqual((await gate(['first', 'nobody', 'Off'], off)).effective, ['Alpha', 'nobody', 'Off']);
  t.deepEqual((await gate(undefined, { ...off, configured: {} })).effective, []);
});
