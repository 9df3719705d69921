import test from 'ava';
import { stoppingText } from '../../../dev/run/stopping-text.js';

const redis = (startedHere: boolean) => ({ name: 'Redis', startedHere });
const rabbitMq = (startedHere: boolean) => ({ name: 'RabbitMQ', startedHere });

for (const [circumstance, services, expected] of [
  ['both started here', [redis(true), rabbitMq(true)], 'Stopping the gateway, then Redis and RabbitMQ …'],
  [
    "a Redis of the user's",
    [redis(false), rabbitMq(true)],
    'Stopping the gateway, then RabbitMQ (Redis runs on) …',
  ],
  ["both the user's", [redis(false), rabbitMq(false)], 'Stopping the gateway (Redis and RabbitMQ run on) …'],
] as const) {
  test(`make run, Ctrl-C: ${circumstance} -> ${expected}`, (t) => t.is(stoppingText(services), expected));
}
