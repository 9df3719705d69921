/**
 * Tests that need a Redis and a RabbitMQ. `npm test` runs them in two stages (dev/test.ts), named by TEST_STAGE; a file
 * that is named runs without a stage. The tests that need no service are configured in ava.unit.config.js.
 */

/**
 * Files that use both cores for long, start servers by the dozen, or have leases of half a second: one by one, with
 * nothing beside them.
 */
const HEAVY = [
  'test/end-to-end/balancers.test.ts',
  'test/end-to-end/batch-faults.test.ts',
  'test/end-to-end/batch-races.test.ts',
  'test/end-to-end/faults-under-load.test.ts',
  'test/end-to-end/orders-of-events.test.ts',
  'test/end-to-end/rabbitmq-nodes.test.ts',
  'test/end-to-end/redis-cluster.test.ts',
  'test/end-to-end/redis-sentinel.test.ts',
  'test/fuzz/fuzz.test.ts',
  'test/lua/model.test.ts',
  'test/simulator/simulator.test.ts',
];

const STAGES = {
  light: {
    files: ['test/**/*.test.ts', '!test/unit/**', ...HEAVY.map((file) => `!${file}`)],
    concurrency: 3,
  },
  heavy: { files: HEAVY, concurrency: 1 },
};

export default {
  ...(STAGES[process.env.TEST_STAGE] ?? { files: ['test/**/*.test.ts'], concurrency: 1 }),
  extensions: { ts: 'module' },
  nodeArguments: ['--import=tsx'],
  workerThreads: false,
  // Without a finished test. A machine that is busy with other work may need three times the longest test's minute.
  timeout: '180s',
};
