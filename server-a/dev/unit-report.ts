/** One report of several AVAs that run at once. */
import { stripVTControlCharacters } from 'node:util';

/** AVA's line between the tests, as they end, and what it says at the end. */
const RULE = '─';
/** What AVA counts at the end. Passed tests are counted here: AVA is silent on them where one has failed. */
const SUM =
  /^(\d+) (tests?|hooks?|known failures?|(?:unhandled|uncaught) (?:rejections?|exceptions?))((?: (?!passed).+)?)$/;
const PASSED = /^\d+ tests? passed$/;

/** One AVA's part of a {@link UnitReport}. */
export interface ReportPart {
  /** Takes a line that AVA has written. */
  readonly read: (line: string) => void;
  /** AVA has ended. @param code its exit code, or the signal that has ended it */
  readonly end: (code: number | string) => void;
}

/**
 * Writes the lines of tests as they come, whichever AVA they come from; at the end what failed and why, and one sum.
 * Whatever else an AVA says is written as it is.
 */
export class UnitReport {
  readonly #write: (line: string) => void;
  readonly #atTheEnd: string[] = [];
  readonly #sums = new Map<string, number>();
  #succeeded = true;

  /** @param write writes a line of the report */
  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  /** Begins the part of one AVA. */
  begin(): ReportPart {
    const details: string[] = [];
    let isAtTheEnd = false;
    return {
      read: (line) => {
        const text = stripVTControlCharacters(line).trim();
        if (text === RULE) isAtTheEnd = true;
        else if (isAtTheEnd) this.#readEnd(line, text, details);
        else if (text !== '') {
          if (text.startsWith('✔')) this.#count('tests passed', 1);
          this.#write(line);
        }
      },
      end: (code) => {
        if (code !== 0) this.#succeeded = false;
        if (!isAtTheEnd) details.push(`  AVA ended with ${code}, and without a report.`);
        const text = details.join('\n').replace(/^\s*\n|\s*$/g, '');
        if (text !== '') this.#atTheEnd.push(text, '');
      },
    };
  }

  /** Writes the end of the report, when all parts have ended. Returns whether all have succeeded. */
  end(): boolean {
    for (const line of [`  ${RULE}`, '', ...this.#atTheEnd]) this.#write(line);
    for (const [what, count] of this.#sums) this.#write(`  ${count} ${what}`);
    return this.#succeeded;
  }

  #readEnd(line: string, text: string, details: string[]): void {
    const [, count, what = '', rest = ''] = SUM.exec(text) ?? [];
    if (count !== undefined) this.#count(`${what.replace(/s?$/, 's')}${rest}`, Number(count));
    else if (!PASSED.test(text)) details.push(line);
  }

  #count(what: string, count: number): void {
    this.#sums.set(what, (this.#sums.get(what) ?? 0) + count);
  }
}
