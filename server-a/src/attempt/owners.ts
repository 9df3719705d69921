import { randomBytes } from 'node:crypto';

/** Makes names of owners: each names one attempt, unlike any other of any replica and any of its lives. */
export function ownerNames(): () => string {
  const instance = randomBytes(6).toString('base64url');
  let attempts = 0;
  return () => {
    attempts += 1;
    return instance + attempts.toString(36);
  };
}
