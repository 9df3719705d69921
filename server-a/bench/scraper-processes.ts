/** The scrapers of the benchmark, and the server that they scrape for comparison, each a process of its own. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import * as yup from 'yup';

/** How many scrape at once. */
export const SCRAPERS = 8;
const pathOf = (script: string): string => fileURLToPath(new URL(script, import.meta.url));

const scraped = yup.object({ pages: yup.number().required(), pageBytes: yup.number().required() }).required();
type Scraped = yup.InferType<typeof scraped>;

/** The process of the scrapers. */
export class Scrapers {
  readonly #child = fork(pathOf('scraper-process.mjs'), { execArgv: [] });
  readonly #failed = once(this.#child, 'exit').then(() => {
    throw new Error('the scrapers have failed');
  });

  constructor() {
    // At the end nobody waits for an answer.
    this.#failed.catch(() => {});
  }

  /** Begins to scrape, and waits until each has had a page. */
  async begin(port: number): Promise<void> {
    await this.#ask({ port, count: SCRAPERS });
  }

  /** Ends the scraping. Returns how many pages were given since all had one, and of how many bytes. */
  async stop(): Promise<Scraped> {
    return scraped.validate(await this.#ask('stop'));
  }

  end(): void {
    this.#child.kill();
  }

  /** @throws Error when the process ends instead of answering */
  async #ask(message: string | object): Promise<unknown> {
    const answer = once(this.#child, 'message');
    this.#child.send(message);
    const [answered] = await Promise.race([answer, this.#failed]);
    return answered;
  }
}

/** Starts the control. @param pauseMs milliseconds between two pages */
export async function startControl(
  bytes: number,
  pauseMs: number,
): Promise<{ port: number; stop: () => void }> {
  const child = fork(pathOf('static-pages.mjs'), [String(bytes), String(pauseMs)], { execArgv: [] });
  const [port] = await once(child, 'message');
  return { port: Number(port), stop: () => void child.kill() };
}
