/**
 * Loaded into a server with --import: answers the benchmark's questions about memory and time. Plain JavaScript, so that
 * the server needs no loader for it.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Session } from 'node:inspector/promises';
import { GCProfiler, getHeapSpaceStatistics } from 'node:v8';

let profiler = new GCProfiler();
let atBegin = { young: 0, old: 0 };

/** Bytes in use in the young spaces and in the old ones. */
function usedIn(spaces) {
  let young = 0;
  let old = 0;
  for (const [name, used] of spaces) {
    if (name.startsWith('new_')) young += used;
    else old += used;
  }
  return { young, old };
}

const usedNow = () =>
  usedIn(getHeapSpaceStatistics().map((space) => [space.space_name, space.space_used_size]));
const usedThen = ({ heapSpaceStatistics }) =>
  usedIn(heapSpaceStatistics.map(({ spaceName, spaceUsedSize }) => [spaceName, spaceUsedSize]));

/** Sums up the collections since the beginning; bytes and microseconds. */
function garbage({ statistics }) {
  const sums = { allocated: 0, survived: 0, promoted: 0, scavenges: 0, majors: 0, pauseUs: 0 };
  let last = atBegin;
  const allocateUpTo = (now) => {
    sums.allocated += now.young - last.young + Math.max(0, now.old - last.old);
  };
  for (const { gcType, cost, beforeGC, afterGC } of statistics) {
    const before = usedThen(beforeGC);
    const after = usedThen(afterGC);
    allocateUpTo(before);
    sums.pauseUs += cost;
    if (gcType === 'Scavenge') {
      sums.scavenges += 1;
      sums.survived += after.young;
      sums.promoted += Math.max(0, after.old - before.old);
    } else sums.majors += 1;
    last = after;
  }
  allocateUpTo(usedNow());
  return sums;
}

const inspector = new Session();

/** Mean bytes between two samples of what is allocated. */
const SAMPLING_INTERVAL = 4096;

async function beginSampling() {
  inspector.connect();
  await inspector.post('HeapProfiler.startSampling', {
    samplingInterval: SAMPLING_INTERVAL,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
}

/**
 * Returns the bytes that each function has allocated, what is collected by now included. What V8's own functions allocate
 * (`then`, `push`, `slice`) counts as their caller's.
 */
async function endSampling() {
  const { profile } = await inspector.post('HeapProfiler.stopSampling');
  inspector.disconnect();
  const functions = [];
  const waiting = [{ node: profile.head, caller: profile.head.callFrame }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, caller } = next;
    const frame = node.callFrame.url === '' && caller.url !== '' ? caller : node.callFrame;
    const { functionName, url, lineNumber, columnNumber } = frame;
    if (node.selfSize > 0)
      functions.push({ functionName, url, lineNumber, columnNumber, bytes: node.selfSize });
    for (const child of node.children) waiting.push({ node: child, caller: frame });
  }
  return functions;
}

const ANSWERED = 'http.server.response.finish';
let latencies = [];

/** Notes the milliseconds from when a request was written to its answer, if it says when that was. */
function noteLatency({ request }) {
  const sentAt = request.headers['x-sent-at'];
  if (sentAt !== undefined) latencies.push((Number(process.hrtime.bigint()) - Number(sentAt)) / 1e6);
}

process.on('message', (question) => {
  if (question === 'begin sampling') beginSampling().then(() => process.send?.('begun'));
  else if (question === 'end sampling') endSampling().then((functions) => process.send?.(functions));
  else if (question === 'begin latencies') {
    latencies = [];
    subscribe(ANSWERED, noteLatency);
    process.send?.('begun');
  } else if (question === 'end latencies') {
    unsubscribe(ANSWERED, noteLatency);
    process.send?.(latencies);
  } else if (question === 'memory') {
    globalThis.gc?.();
    globalThis.gc?.();
    process.send?.(process.memoryUsage().heapUsed);
  } else if (question === 'begin') {
    profiler = new GCProfiler();
    atBegin = usedNow();
    profiler.start();
    process.send?.('begun');
  } else process.send?.(garbage(profiler.stop()));
});
// The channel to the benchmark must not keep the server alive.
process.channel?.unref();
