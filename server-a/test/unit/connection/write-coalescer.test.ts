import { Duplex } from 'node:stream';
import test from 'ava';
import { WriteCoalescer } from '../../../src/connection/write-coalescer.js';

/** A socket that remembers what each system call would have carried. */
function socket() {
  const calls: string[] = [];
  const duplex = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      calls.push(chunk.toString());
      done();
    },
    writev: (chunks, done) => {
      calls.push(chunks.map(({ chunk }) => String(chunk)).join(''));
      done();
    },
  });
  return { duplex, calls };
}

/** Resolves when everything that was begun in this turn of the event loop, and its immediates, is over. */
const turns = async (count: number): Promise<void> => {
  for (let n = 0; n < count; n += 1) await new Promise((resolve) => setImmediate(resolve));
};

test('write coalescer: several writes of one turn -> one system call, in order', async (t) => {
  const { duplex, calls } = socket();
  const coalescer = new WriteCoalescer(duplex);
  for (const text of ['a', 'b', 'c']) {
    coalescer.hold();
    duplex.write(text);
  }
  t.deepEqual(calls, []);
  await turns(2);
  t.deepEqual(calls, ['abc']);
});

test('write coalescer: writes of two turns -> two system calls', async (t) => {
  const { duplex, calls } = socket();
  const coalescer = new WriteCoalescer(duplex);
  for (const text of ['a', 'b']) {
    coalescer.hold();
    duplex.write(text);
    await turns(2);
  }
  t.deepEqual(calls, ['a', 'b']);
});

test('write coalescer: written in the immediate that the next tick asked for, as amqplib does -> in the same call', async (t) => {
  const { duplex, calls } = socket();
  const coalescer = new WriteCoalescer(duplex);
  coalescer.hold();
  duplex.write('first');
  process.nextTick(() => setImmediate(() => duplex.write(' and from an immediate')));
  await turns(3);
  t.deepEqual(calls, ['first and from an immediate']);
});

test('write coalescer: the socket was destroyed meanwhile -> nothing is written and nothing is thrown', async (t) => {
  const { duplex, calls } = socket();
  const coalescer = new WriteCoalescer(duplex);
  coalescer.hold();
  duplex.write('lost', () => {});
  duplex.on('error', () => {});
  duplex.destroy();
  await turns(3);
  t.deepEqual(calls, []);
  t.notThrows(() => coalescer.hold());
  await turns(3);
});
