/** The configuration in words, for `--check-config`. */
import type { ConfigSummary, Listed, ServiceSummary } from '../config/summary.js';

/** Returns the whole summary as text of several lines. */
export function configText(summary: ConfigSummary): string {
  const { service, clients, providers, config_fingerprint, redis, rabbitmq, queues, limits } = summary;
  return [
    section('Service', [
      ['name', service.name],
      ['address', `${service.host}:${service.port}`],
      ...(service.operations_port === undefined
        ? []
        : [['operations', `${service.host}:${service.operations_port}`]]),
    ]),
    section(`Clients: ${clients.total}, of which ${clients.active} active`, [
      ['name', 'API key', 'active', 'daily quota', 'per second'],
      ...clients.listed.map(({ name, masked_key, active, daily_quota, max_per_second = '' }) => [
        name,
        masked_key,
        yesNo(active),
        String(daily_quota),
        String(max_per_second),
      ]),
    ]),
    section(`Providers: ${providers.total}, of which ${providers.available} available`, [
      ['name', 'active', 'operational', 'aliases'],
      ...providers.listed.map(({ name, active, operational, aliases }) => [
        name,
        yesNo(active),
        yesNo(operational),
        namesOf(aliases),
      ]),
    ]),
    section('Fingerprints (SHA-256)', [
      ['clients', config_fingerprint.clients],
      ['providers', config_fingerprint.providers],
    ]),
    section('Redis', [
      ['mode', redis.mode],
      ...(redis.master === undefined ? [] : [['master', redis.master]]),
      ...serviceRows(redis),
    ]),
    section('RabbitMQ', serviceRows(rabbitmq)),
    section('Queues', [
      ['messages', `${queues.outbound} (${queues.type})`],
      ['dead letters', `${queues.dead_letters} (${queues.type})`],
      ['heartbeats', `${queues.heartbeat} (${queues.type})`],
    ]),
    section(
      'Limits and policies',
      Object.entries(limits).map(([name, value]) => [name.toUpperCase(), String(value)]),
    ),
  ].join('\n');
}

function serviceRows({ url, tls }: ServiceSummary): string[][] {
  const urls = url.split(', ').map((one, index) => [index === 0 ? 'URL' : '', one]);
  if (tls === undefined) return [...urls, ['TLS', 'no']];
  const authorities = tls.authorities.map(({ subject, valid_until }) => [
    'authority',
    `${subject}, valid until ${valid_until}`,
  ]);
  const own = tls.client_certificate;
  return [
    ...urls,
    ['TLS', 'yes'],
    ...(authorities.length > 0 ? authorities : [['authority', 'those of Node.js']]),
    ['own certificate', own === undefined ? 'none' : `${own.subject}, valid until ${own.valid_until}`],
  ];
}

/** A heading, and rows in columns below it; the last column is as wide as it is. */
function section(heading: string, rows: readonly (readonly string[])[]): string {
  const shown = rows.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of shown) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  const lines = shown.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${heading}\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

const yesNo = (value: boolean): string => (value ? 'yes' : 'no');

function namesOf({ listed, not_listed }: Listed<string>): string {
  return [...listed, ...(not_listed > 0 ? [`${not_listed} more`] : [])].join(', ');
}

/** Writes out characters that would steer the terminal or break the line, as `\u001b`. */
function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}
