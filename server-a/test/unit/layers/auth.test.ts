import test from 'ava';
import { ApiError } from '../../../src/errors.js';
import { auth } from '../../../src/layers/auth.js';
import { identify } from '../../../src/layers/identify.js';
import { API_KEYS, contextOf, runLayers, thrownBy } from '../../support/context.js';

test('auth: the API key of an active client -> the next layer runs, and knows the client', async (t) => {
  t.plan(1);
  const ctx = contextOf({ headers: { 'api-key': API_KEYS.active } });
  await runLayers(ctx, identify(), auth(), (within) => void t.is(within.state.client?.name, 'Active'));
});

for (const [what, headers] of Object.entries({
  'no API key': {},
  'an empty one': { 'api-key': '' },
  'one that is not registered': { 'api-key': `${API_KEYS.active}x` },
  'the name of a client': { 'api-key': 'Active' },
  'the name of a property': { 'api-key': 'constructor' },
  "an inactive client's": { 'api-key': API_KEYS.inactive },
})) {
  test(`auth: ${what} -> UNAUTHORIZED, and no later layer runs`, async (t) => {
    const thrown = await thrownBy(contextOf({ headers }), identify(), auth(), () => t.fail());
    t.true(thrown instanceof ApiError && thrown.code === 'UNAUTHORIZED');
  });
}

test('identify: an inactive client -> known to the log all the same', async (t) => {
  const ctx = contextOf({ headers: { 'api-key': API_KEYS.inactive } });
  await thrownBy(ctx, identify(), auth());
  t.is(ctx.state.client?.name, 'Inactive');
});
