import { settleUnreadBody } from '../http/unread-body.js';
import type { Metrics } from '../metrics.js';
import type { RabbitMqLink } from '../rabbitmq/connect.js';
import type { Publisher } from '../rabbitmq/publisher.js';
import type { RedisService } from '../redis/routes.js';
import type { Layer } from '../request/state.js';
import { metricsText } from './metrics-text.js';
import { countReader, type Page, Pages } from './page-bytes.js';
import { PageSender } from './page-sender.js';
import { LEAST_PAUSE_MS, SharedRun } from './shared-run.js';

/** What is looked at when the page is asked for, instead of being kept up to date at every request. */
export interface MetricsPageParts {
  readonly metrics: Metrics;
  readonly publisher: Pick<Publisher, 'inFlight'>;
  readonly redis: Pick<RedisService, 'usable'>;
  readonly rabbitmq: Pick<RabbitMqLink, 'unusable'>;
}

/** Milliseconds for a scraper to take the page; as long as Prometheus waits by default. It bounds the pages in memory. */
const SEND_LIMIT_MS = 10_000;

/**
 * Milliseconds between two pages: a second for each megabyte of the last one, so that scrapers cost the senders the same
 * however many series there are. A scraper waits five seconds at the most, of the ten that Prometheus has by default.
 */
const pauseAfter = (bytes: number): number => Math.min(Math.max(LEAST_PAUSE_MS, bytes / 1000), 5000);

const bytesIn = ({ pieces }: Page): number => pieces.reduce((bytes, { length }) => bytes + length, 0);

/** What tests set. */
export interface MetricsPageTimes {
  /** Milliseconds for a scraper to take the page. */
  readonly sendLimitMs?: number | undefined;
  /** Milliseconds between two pages that are made. */
  readonly pauseMs?: number | undefined;
}

/**
 * `GET /metrics`: all metrics in Prometheus's text format. However many scrape, and however many series there are,
 * the senders are served in between: one page is made for all who wait, in slices, and sent in slices.
 */
export function metricsPage(
  { metrics, publisher, redis, rabbitmq }: MetricsPageParts,
  { sendLimitMs = SEND_LIMIT_MS, pauseMs }: MetricsPageTimes = {},
): Layer {
  const texts = (): AsyncIterable<string> => {
    metrics.publishesInFlight.set(publisher.inFlight);
    metrics.dependencyReady.set({ service: 'redis' }, redis.usable ? 1 : 0);
    metrics.dependencyReady.set({ service: 'rabbitmq' }, rabbitmq.unusable === undefined ? 1 : 0);
    metrics.rabbitmqBlocked.set(rabbitmq.unusable === 'blocked' ? 1 : 0);
    return metricsText(metrics.registry);
  };
  const [pages, sender] = [new Pages(), new PageSender()];
  const pauseOf = (page: Page): number => pauseMs ?? pauseAfter(bytesIn(page));
  const making = new SharedRun(() => pages.make(texts()), pauseOf);
  return async function metricsPage(ctx) {
    const { res } = ctx;
    const page = await making.ask();
    ctx.status = 200;
    // Not by Koa: for its first body that is a stream it has Node.js load all of `fetch`, 20 ms in one turn of the event loop.
    ctx.respond = false;
    // The scraper has hung up.
    if (res.destroyed) return;
    // The headers go out here, before the layers further out could say that the connection ends.
    settleUnreadBody(ctx);
    res.setHeader('Content-Type', metrics.registry.contentType);
    res.setHeader('Content-Length', String(bytesIn(page)));
    if (ctx.method === 'HEAD') {
      res.end();
      return;
    }
    countReader(page, res, sendLimitMs);
    sender.send(page.pieces, res);
  };
}
