import test from 'ava';
import { type Destination, LogBuffer } from '../../../src/logging/buffer.js';

/** A destination that writes down what it is asked for. */
function destination() {
  const asked: string[] = [];
  const stream: Destination = {
    write: (text) => void asked.push(`write ${text}`),
    flush: () => void asked.push('flush'),
    flushSync: () => void asked.push('flushSync'),
  };
  return { stream, asked };
}

test('log buffer: fewer characters than the limit -> kept back', (t) => {
  const { stream, asked } = destination();
  const buffer = new LogBuffer(stream, 10);
  buffer.write('1234\n');
  buffer.write('123\n');
  t.deepEqual(asked, []);
});

test('log buffer: the limit reached -> handed on as one text, and begun to be written', (t) => {
  const { stream, asked } = destination();
  const buffer = new LogBuffer(stream, 10);
  for (const line of ['1234\n', '5678\n', '9\n']) buffer.write(line);
  t.deepEqual(asked, ['write 1234\n5678\n', 'flush']);
});

test('log buffer: flushed -> what there is, once; with nothing there -> nothing', (t) => {
  const { stream, asked } = destination();
  const buffer = new LogBuffer(stream, 100);
  buffer.flush();
  buffer.write('a\n');
  buffer.flush();
  buffer.flush();
  t.deepEqual(asked, ['write a\n', 'flush']);
});

test('log buffer: flushed synchronously -> what the destination kept back first, then ours, both written out', (t) => {
  const { stream, asked } = destination();
  const buffer = new LogBuffer(stream, 100);
  buffer.write('last words\n');
  buffer.flushSync();
  t.deepEqual(asked, ['flushSync', 'write last words\n', 'flushSync']);
});
