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

/** Returns terms as the one word that `admit` takes for them: made once, because an argument costs what a promise costs. */
export function claimTerms({ strict, leaseMs, lifeMs, minLifeMs, counterLifeSeconds }: ClaimTerms): string {
  return `${strict ? 1 : 0} ${leaseMs} ${lifeMs} ${minLifeMs} ${counterLifeSeconds}`;
}
