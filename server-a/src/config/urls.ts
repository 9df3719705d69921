/** URLs of Redis and RabbitMQ: what is right in one, and what of one may be shown. */

/** Parameters after `?` that the RabbitMQ client reads as whole numbers, and the largest that fits their field in AMQP. */
const RABBITMQ_NUMBERS = new Map([
  ['heartbeat', 65_535],
  ['channelMax', 65_535],
  ['frameMax', 4_294_967_295],
  ['maxFrameSize', 4_294_967_295],
]);

/** Says what REDIS_URL must be and the given one is not, without quoting it; undefined = it is right. */
export function faultOfRedisUrl(value: string): string | undefined {
  const url = serviceUrl(value, ['redis:', 'rediss:']);
  if (typeof url === 'string') return url;
  if (!/^\/?(\d{1,9})?$/.test(url.pathname)) return 'must end with the number of a database, or none';
  // The client would take each for an option of its own, stronger than the gateway's: that it sends nothing twice, say.
  if (url.search !== '' || url.hash !== '') return 'must have no parameters after the database';
  return undefined;
}

/** Says what RABBITMQ_URL must be and the given one is not, without quoting it; undefined = it is right. */
export function faultOfRabbitMqUrl(value: string): string | undefined {
  const url = serviceUrl(value, ['amqp:', 'amqps:']);
  if (typeof url === 'string') return url;
  if (!isDecodable(url.pathname)) return 'must have its virtual host percent-encoded, % as %25';
  for (const [name, largest] of RABBITMQ_NUMBERS) {
    const right = url.searchParams
      .getAll(name)
      .every((number) => /^\d{1,10}$/.test(number) && Number(number) <= largest);
    if (!right) return `must have a whole number up to ${largest} as its parameter ${name}`;
  }
  return undefined;
}

/** Names of parameters of a valid RABBITMQ_URL that the client does not know, and ignores. */
export function ignoredParameters(url: string): string[] {
  const names = new Set(new URL(url).searchParams.keys());
  return [...names].filter((name) => name !== 'locale' && !RABBITMQ_NUMBERS.has(name));
}

/** Returns scheme, host, port and path of a valid URL: what may be shown. Parameters can hold secrets as well. */
export function withoutCredentials(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** True when a valid URL asks for TLS. The scheme counts in upper case as well. */
export function asksForTls(url: string): boolean {
  const { protocol } = new URL(url);
  return protocol === 'rediss:' || protocol === 'amqps:';
}

/** User and password of a URL, decoded; undefined when it has neither. */
export function credentialsOf(url: string): { readonly user: string; readonly password: string } | undefined {
  const { username, password } = new URL(url);
  if (username === '' && password === '') return undefined;
  return { user: decodeURIComponent(username), password: decodeURIComponent(password) };
}

/** Parses a URL with one of these schemes; a string says why it is none. */
function serviceUrl(value: string, protocols: readonly string[]): URL | string {
  const expected = `must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`;
  if (!URL.canParse(value)) return expected;
  const url = new URL(value);
  // The scheme's two slashes must be there: without them the parser takes the rest for a path, and finds no host.
  if (!protocols.includes(url.protocol)) return expected;
  if (url.hostname === '') return `${expected} and names a host`;
  if (!isDecodable(url.username) || !isDecodable(url.password)) {
    return 'must have its user and password percent-encoded, % as %25';
  }
  return url;
}

function isDecodable(encoded: string): boolean {
  try {
    decodeURIComponent(encoded);
    return true;
  } catch {
    return false;
  }
}
