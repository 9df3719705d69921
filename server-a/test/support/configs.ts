import { loadConfig } from '../../src/config/load.js';

/** A provider that can be used, and one that is switched off. */
export const PROVIDERS = {
  Alpha: { is_active: true, is_operational: true, aliases: ['First', 'alpha-sms'] },
  Beta: { is_active: false, is_operational: true },
};

/** A client but for what all have: it is active, and has a quota of 9. */
export interface ClientGiven {
  readonly name: string;
  readonly is_active?: boolean;
  readonly daily_quota?: number;
  readonly id?: string;
  readonly not_after?: string;
}

/** Returns a configuration with these clients by key, and otherwise the defaults. */
export function configOf(
  clients: Readonly<Record<string, ClientGiven>>,
  variables: Readonly<Record<string, string>> = {},
  providers: object = PROVIDERS,
) {
  const given = Object.entries(clients).map(([key, client]) => [
    key,
    { is_active: true, daily_quota: 9, ...client },
  ]);
  return loadConfig({
    CLIENT_CONFIG: JSON.stringify(Object.fromEntries(given)),
    PROVIDERS_CONFIG: JSON.stringify(providers),
    TRACKING_ID_SECRET: 'a secret of the tests',
    RABBITMQ_URL: 'amqp://gateway:pass-word@rabbitmq/',
    ...variables,
  });
}

/** Returns this many clients by key, with the names `Client 0`, `Client 1` … */
export const many = (count: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`key-of-a-client-${i}`, { name: `Client ${i}` }]),
  );
