/** Loaded into a server with --import: answers a message of the benchmark with the heap in use after a collection. */
process.on('message', () => {
  globalThis.gc?.();
  globalThis.gc?.();
  process.send?.(process.memoryUsage().heapUsed);
});
// The channel to the benchmark must not keep the server alive.
process.channel?.unref();
