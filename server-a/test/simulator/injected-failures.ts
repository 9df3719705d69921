/** The failures that a history injects: each has a stable name, so that a history can be repeated with a part of them. */
import { Choices, hashText, mix } from './choices.js';

/** A failure that was injected, or a thing that a history begins of its own accord (a sender, a reload). */
export interface Injected {
  /** Stable: process, kind of point, running number; or kind and running number. */
  readonly id: string;
  /** Virtual milliseconds. */
  readonly at: number;
  /** What it did, for the report. */
  what: string;
}

/** Decides what is injected, and remembers it. */
export class InjectedFailures {
  readonly made: Injected[] = [];
  readonly #seed: number;
  readonly #only: ReadonlySet<string> | undefined;
  readonly #now: () => number;
  #enabled = true;

  /** @param only ids; nothing else is injected. undefined = the seed decides */
  constructor(seed: number, only: ReadonlySet<string> | undefined, now: () => number) {
    this.#seed = mix(seed, hashText('failures'));
    this.#only = only;
    this.#now = now;
  }

  /** Ends all injections: the world heals. */
  stop(): void {
    this.#enabled = false;
  }

  /** Makes a kind of point of one process, at each of which a failure may be injected. */
  point(name: string, probability: number): FailurePoint {
    const seed = mix(this.#seed, hashText(name));
    let passed = 0;
    if (probability === 0) return () => undefined;
    return () => {
      passed += 1;
      if (!this.#enabled) return undefined;
      const value = mix(seed, passed);
      if (this.#only === undefined) {
        if (value >= probability * 0x1_0000_0000) return undefined;
      } else if (!this.#only.has(`${name}#${passed}`)) {
        return undefined;
      }
      const injected: Injected = { id: `${name}#${passed}`, at: this.#now(), what: '' };
      this.made.push(injected);
      return { injected, choices: new Choices(value, 'what') };
    };
  }

  /** Says whether something that a history has by itself takes place, and remembers it. */
  takesPlace(id: string, what: string): boolean {
    if (this.#only !== undefined && !this.#only.has(id)) return false;
    this.made.push({ id, at: this.#now(), what });
    return true;
  }
}

/** Asks whether a failure is injected here and now; returns the choices that say which. */
export type FailurePoint = () => { readonly injected: Injected; readonly choices: Choices } | undefined;
