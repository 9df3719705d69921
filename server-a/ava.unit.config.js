/**
 * Tests that need neither Redis nor RabbitMQ nor a build. dev/unit.ts runs them, and names in UNIT_FILE a file that imports
 * many of them; without it, each file has a process of its own. The other tests are configured in ava.config.js.
 */
export default {
  files: [process.env.UNIT_FILE ?? 'test/unit/**/*.test.ts'],
  extensions: { ts: 'module' },
  nodeArguments: ['--import=tsx'],
  workerThreads: false,
  // Some tests replace the clock of their process for a moment.
  serial: true,
  // Without a finished test: a busy machine may leave a process without a core for long.
  timeout: '120s',
};
