import { randomBytes } from 'node:crypto';

/** Makes tokens that name one attempt at a request each: unlike any other, of any replica and any of its lives. */
export function attemptTokens(): () => string {
  const instance = randomBytes(6).toString('base64url');
  let attempts = 0;
  return () => {
    attempts += 1;
    return instance + attempts.toString(36);
  };
}
