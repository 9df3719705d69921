/**
 * The gateway with one layer taken away, named by BENCH_WITHOUT: what is missing from the CPU per request is what the
 * layer costs. A stand-in leaves behind what later layers cannot do without, and nothing else.
 */

import { loadConfig } from '../src/config/load.js';
import { startGateway } from '../src/gateway.js';
import { createLogging } from '../src/logging/log.js';
import { PIPELINE, type Pipeline } from '../src/pipeline.js';
import { acceptedBody, answerJson } from '../src/request/answers.js';
import type { Layer } from '../src/request/state.js';

const without = process.env['BENCH_WITHOUT'] ?? '';
const config = loadConfig(process.env);

const STAND_INS: Readonly<Record<string, Layer>> = {
  observeRequest: (ctx, next) => {
    ctx.state.registry = config.registry;
    return next();
  },
  idempotency: (_ctx, next) => next(),
  auth: (_ctx, next) => next(),
  validation: (ctx, next) => {
    ctx.state.request = { to: '+989121234567', text: 'A text.', ttlSeconds: 3600, providers: undefined };
    ctx.req.resume();
    return next();
  },
  providerGate: (ctx, next) => {
    ctx.state.providersEffective = [];
    return next();
  },
  quota: (_ctx, next) => next(),
  publish: async (ctx) => answerJson(ctx, 202, acceptedBody('00000000-0000-4000-8000-000000000000')),
};

const standIn = STAND_INS[without];
if (standIn === undefined)
  throw new Error(`BENCH_WITHOUT must be one of: ${Object.keys(STAND_INS).join(', ')}`);
const replace = (layers: Layer[]): Layer[] =>
  layers.map((layer) => (layer.name === without ? standIn : layer));
const pipeline: Pipeline = {
  everyRequest: (parts) => replace(PIPELINE.everyRequest(parts)),
  sendRequest: (parts) => replace(PIPELINE.sendRequest(parts)),
};

const { log } = createLogging(config.env.SERVICE_NAME, config.env.LOG_LEVEL);
const gateway = await startGateway(config, log, { pipeline });
process.on('SIGTERM', () => {
  gateway.stop().finally(() => process.exit(0));
});
