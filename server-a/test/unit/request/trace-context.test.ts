import test from 'ava';
import { traceContextOf } from '../../../src/request/trace-context.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const TRACEPARENT = `00-${TRACE}-b7ad6b7169203331-01`;

test('traceContextOf: a well-formed traceparent -> its trace id, and the header as it came', (t) => {
  t.deepEqual(traceContextOf({ traceparent: TRACEPARENT, tracestate: 'a=1,b=2' }), {
    traceId: TRACE,
    traceparent: TRACEPARENT,
    tracestate: 'a=1,b=2',
  });
});

test('traceContextOf: a later version with more behind -> taken', (t) => {
  const traceparent = `cc-${TRACE}-b7ad6b7169203331-01-what-comes-later`;
  t.is(traceContextOf({ traceparent })?.traceId, TRACE);
});

for (const [what, traceparent] of Object.entries({
  'no header': undefined,
  'an empty one': '',
  'upper case': TRACEPARENT.toUpperCase(),
  'version ff': `ff${TRACEPARENT.slice(2)}`,
  'version 00 with more behind': `${TRACEPARENT}-more`,
  'a trace id of zeros': `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
  'a parent id of zeros': `00-${TRACE}-${'0'.repeat(16)}-01`,
  'one digit short': TRACEPARENT.slice(0, -1),
  'two headers in one': `${TRACEPARENT}, ${TRACEPARENT}`,
  'a later version without end': `cc-${TRACE}-b7ad6b7169203331-01-${'x'.repeat(300)}`,
})) {
  test(`traceContextOf: ${what} -> no trace`, (t) => {
    t.is(traceContextOf({ ...(traceparent !== undefined && { traceparent }) }), undefined);
  });
}

for (const [what, tracestate] of Object.entries({
  'too long': `a=${'1'.repeat(511)}`,
  'not ASCII': 'a=ü',
  empty: '',
})) {
  test(`traceContextOf: a tracestate that is ${what} -> left out, the trace goes on`, (t) => {
    const trace = traceContextOf({ traceparent: TRACEPARENT, tracestate });
    t.is(trace?.traceId, TRACE);
    t.is(trace?.tracestate, undefined);
  });
}
