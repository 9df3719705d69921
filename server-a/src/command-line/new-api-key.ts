import { hashApiKey } from '../config/api-key.js';

/** Returns what `--new-api-key` prints: the key for the sender, and the entry of CLIENT_CONFIG, which does not hold it. */
export function newApiKeyText(key: string): string {
  const entry = { id: '…', name: '…', is_active: true, daily_quota: 1000 };
  return [
    'API key, for the sender alone. It is shown this once:',
    `  ${key}`,
    '',
    'Its entry of CLIENT_CONFIG:',
    `  ${JSON.stringify(`sha256:${hashApiKey(key)}`)}: ${JSON.stringify(entry)}`,
    '',
  ].join('\n');
}
