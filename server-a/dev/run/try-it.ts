import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/**
 * Makes a curl command that the running gateway answers with 202, for pasting into a shell.
 * @param env the gateway's environment; the first active client of its configuration is used.
 */
export async function curlCommand(baseUrl: string, env: NodeJS.ProcessEnv): Promise<string> {
  const body = JSON.stringify({ to: '+989121234567', text: 'Hello from the gateway' });
  return [
    `curl -i ${baseUrl}/api/v1/sms/send`,
    `-H ${quote(`API-Key: ${(await firstActiveKey(env)) ?? 'YOUR-API-KEY'}`)}`,
    `-H ${quote(`Idempotency-Key: try-${randomUUID()}`)}`,
    "-H 'Content-Type: application/json'",
    `-d ${quote(body)}`,
  ].join(' \\\n  ');
}

async function firstActiveKey(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const file = env['CLIENT_CONFIG_FILE'];
  const json = file ? await readFile(file, 'utf8') : (env['CLIENT_CONFIG'] ?? '{}');
  const clients: unknown = JSON.parse(json);
  if (typeof clients !== 'object' || clients === null) return undefined;
  return Object.entries(clients).find(([, client]: [string, unknown]) => isActive(client))?.[0];
}

function isActive(client: unknown): boolean {
  return typeof client === 'object' && client !== null && 'is_active' in client && client.is_active === true;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
