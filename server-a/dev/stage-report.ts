/** What is said once more of the stages that have failed, when all have ended: by then it is far above. */
import { stripVTControlCharacters } from 'node:util';

/** AVA's line between the tests, as they end, and what it says at the end. */
const RULE = '─';
const FAILED = '✘';

/** The lines of one stage of the tests, of which the telling ones are kept. */
export class StageReport {
  readonly #name: string;
  readonly #failed: string[] = [];
  readonly #end: string[] = [];
  #isAtTheEnd = false;

  /** @param name of the stage */
  constructor(name: string) {
    this.#name = name;
  }

  /** Takes a line that the stage has written. */
  read(line: string): void {
    const text = stripVTControlCharacters(line).trim();
    if (this.#isAtTheEnd) this.#end.push(line);
    else if (text.startsWith(FAILED)) this.#failed.push(line);
    this.#isAtTheEnd ||= text === RULE;
  }

  /** What a reader of the last lines wants to know of a stage that failed: why, and then, in short, what. */
  get lines(): string[] {
    const end = this.#isAtTheEnd ? this.#end : ['', '  It ended without a report.', ''];
    return [`The stage ${this.#name} failed:`, ...end, ...this.#failed];
  }
}
