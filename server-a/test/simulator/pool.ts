/** Workers that run histories, one for each core. */
import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import type { HistoryResult } from './history.js';

/** What a worker tells of a history. */
export type HistoryReport = Omit<HistoryResult, 'scenario'>;

/** A history to run. */
export interface HistoryTask {
  readonly seed: number;
  readonly only?: readonly string[];
  readonly keepTrace?: boolean;
}

/** Runs histories in processes of their own: virtual time is in force for a whole process. */
export class Pool {
  readonly size: number;
  readonly #idle: ChildProcess[] = [];
  readonly #waiting: ((worker: ChildProcess) => void)[] = [];
  readonly #all: ChildProcess[] = [];

  /**
   * @param size workers; the default is one for each core
   * @param worker the workers' program; a mutant has its own
   */
  constructor(size = availableParallelism(), worker = new URL('./worker.ts', import.meta.url)) {
    this.size = size;
    for (let n = 0; n < size; n += 1) {
      const child = fork(worker, { execArgv: ['--import=tsx'] });
      this.#all.push(child);
      this.#idle.push(child);
    }
  }

  /** Runs one history, as soon as a worker is free. @throws Error when its worker ends */
  async run(task: HistoryTask): Promise<HistoryReport> {
    const worker =
      this.#idle.pop() ?? (await new Promise<ChildProcess>((resolve) => this.#waiting.push(resolve)));
    try {
      return await new Promise<HistoryReport>((resolve, reject) => {
        const ended = (): void =>
          reject(new Error(`a worker has ended while it ran the history ${task.seed}`));
        worker.once('exit', ended);
        worker.once('message', (report) => {
          worker.off('exit', ended);
          if (isReport(report)) resolve(report);
          else reject(new Error('not a report'));
        });
        worker.send(task);
      });
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#idle.push(worker);
      else next(worker);
    }
  }

  /** Ends the workers, also one that is caught in a history. */
  close(): void {
    for (const worker of this.#all) {
      worker.removeAllListeners('exit');
      worker.kill('SIGKILL');
    }
  }
}

function isReport(message: unknown): message is HistoryReport {
  return typeof message === 'object' && message !== null && 'violations' in message && 'hash' in message;
}
