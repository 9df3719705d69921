/** How a process claims keys. */
export interface ClaimTerms {
  /** Refuse another body instead of only reporting it. */
  readonly strict: boolean;
  readonly leaseMs: number;
  readonly lifeMs: number;
  /** Life that a record has at the least after a take-over. */
  readonly minLifeMs: number;
  readonly counterLifeSeconds: number;
}

/** The same, and as the one word that `admit` takes for it: made once, because an argument costs what a promise costs. */
export interface ReadyTerms extends ClaimTerms {
  readonly word: string;
}

/** Returns terms with their word. */
export function readyTerms(terms: ClaimTerms): ReadyTerms {
  const { strict, leaseMs, lifeMs, minLifeMs, counterLifeSeconds } = terms;
  return { ...terms, word: `${strict ? 1 : 0} ${leaseMs} ${lifeMs} ${minLifeMs} ${counterLifeSeconds}` };
}
