/** URLs of Redis and RabbitMQ: what is right in one, and what of one may be shown. */

/**
 * Seconds between AMQP heartbeats, at the most and by default. A peer that fell silent is given up after three of them at
 * the latest: within the 15 s that a key is held for a late confirm.
 */
export const MAX_HEARTBEAT_SECONDS = 5;
/** Bytes of a frame that RabbitMQ and its client agree on by default. */
const USUAL_FRAME_BYTES = 131_072;
/** Bytes of a frame that every version of RabbitMQ agrees to. */
const MIN_FRAME_BYTES = 8192;
/** Bytes of a short string in AMQP, such as a virtual host's name. */
const SHORT_STRING_BYTES = 255;

/**
 * Parameters after `?` that the RabbitMQ client reads as whole numbers: the least and the largest value. The largest of
 * three of them is what fits their field in AMQP. 0 is "no limit" where `none` says so.
 */
const RABBITMQ_NUMBERS = new Map([
  ['heartbeat', { least: 1, largest: MAX_HEARTBEAT_SECONDS, none: false }],
  ['channelMax', { least: 1, largest: 65_535, none: true }],
  ['frameMax', { least: MIN_FRAME_BYTES, largest: 4_294_967_295, none: true }],
  // What the broker may send: with less than what both agree on, the connection would end at a message that comes back.
  ['maxFrameSize', { least: USUAL_FRAME_BYTES, largest: 4_294_967_295, none: true }],
]);

/** Says what REDIS_URL must be and the given one is not, without quoting it; undefined = it is right. */
export function faultOfRedisUrls(value: string): string | undefined {
  const urls = urlsOf(value);
  const fault = faultOfFirst(urls, faultOfRedisUrl);
  if (fault !== undefined) return fault;
  return differ(
    urls.map((url) => new URL(url)),
    ({ protocol }) => protocol,
  )
    ? 'must have TLS in all its URLs or in none'
    : undefined;
}

function faultOfRedisUrl(value: string): string | undefined {
  const url = serviceUrl(value, ['redis:', 'rediss:']);
  if (typeof url === 'string') return url;
  if (!/^\/?(\d{1,9})?$/.test(url.pathname)) return 'must end with the number of a database, or none';
  // The client would take each for an option of its own, stronger than the gateway's: that it sends nothing twice, say.
  if (url.search !== '' || url.hash !== '') return 'must have no parameters after the database';
  return undefined;
}

/** Splits a variable that may hold several URLs at the commas between them; a comma within a password is left alone. */
export function urlsOf(value: string): string[] {
  return value.trim().split(/\s*,\s*(?=[A-Za-z]+:\/\/)/);
}

/** Says what RABBITMQ_URL must be and the given one is not, without quoting it; undefined = it is right. */
export function faultOfRabbitMqUrls(value: string): string | undefined {
  const urls = urlsOf(value);
  const fault = faultOfFirst(urls, faultOfRabbitMqUrl);
  if (fault !== undefined) return fault;
  const parsed = urls.map((url) => new URL(url));
  // A broker with another virtual host has other queues, and what is accepted there nobody would look for.
  if (differ(parsed, ({ pathname }) => (pathname === '' ? '/' : pathname)))
    return 'must have the same virtual host in all its URLs';
  if (differ(parsed, ({ protocol }) => protocol)) return 'must have TLS in all its URLs or in none';
  return undefined;
}

/** Says which of several URLs is not right, and why; undefined = all are. */
function faultOfFirst(
  urls: readonly string[],
  faultOf: (url: string) => string | undefined,
): string | undefined {
  for (const [index, url] of urls.entries()) {
    const fault = faultOf(url);
    if (fault !== undefined)
      return urls.length === 1 ? fault : `${fault} (URL ${index + 1} of ${urls.length})`;
  }
  return undefined;
}

function differ(urls: readonly URL[], part: (url: URL) => string): boolean {
  return new Set(urls.map(part)).size > 1;
}

function faultOfRabbitMqUrl(value: string): string | undefined {
  const url = serviceUrl(value, ['amqp:', 'amqps:']);
  if (typeof url === 'string') return url;
  if (!isDecodable(url.pathname)) return 'must have its virtual host percent-encoded, % as %25';
  const shortStrings = [decodeURIComponent(url.pathname.slice(1)), ...url.searchParams.getAll('locale')];
  if (shortStrings.some((text) => Buffer.byteLength(text) > SHORT_STRING_BYTES)) {
    return `must have a virtual host and a locale of at most ${SHORT_STRING_BYTES} bytes`;
  }
  for (const [name, { least, largest, none }] of RABBITMQ_NUMBERS) {
    const isRight = (text: string): boolean => {
      if (!/^\d{1,10}$/.test(text)) return false;
      const number = Number(text);
      return (none && number === 0) || (number >= least && number <= largest);
    };
    if (!url.searchParams.getAll(name).every(isRight)) {
      return `must have ${none ? '0 or ' : ''}a whole number from ${least} to ${largest} as its parameter ${name}`;
    }
  }
  const [frameMax, maxFrameSize] = ['frameMax', 'maxFrameSize'].map((name) =>
    Number(url.searchParams.get(name) ?? 0),
  );
  if (frameMax !== undefined && maxFrameSize && maxFrameSize < frameMax) {
    return 'must have a parameter maxFrameSize that is not less than its parameter frameMax';
  }
  return undefined;
}

/** Names of parameters of a valid RABBITMQ_URL that the client does not know, and ignores. */
export function ignoredParameters(value: string): string[] {
  const names = new Set(urlsOf(value).flatMap((url) => [...new URL(url).searchParams.keys()]));
  return [...names].filter((name) => name !== 'locale' && !RABBITMQ_NUMBERS.has(name));
}

/** Returns host and port of each URL that comes more than once among valid ones. */
export function namedTwice(value: string): string[] {
  const hosts = urlsOf(value).map((url) => new URL(url).host);
  return [...new Set(hosts.filter((host, index) => hosts.indexOf(host) !== index))];
}

/** Returns scheme, host, port and path of each valid URL: what may be shown. Parameters can hold secrets as well. */
export function withoutCredentials(value: string): string {
  return urlsOf(value)
    .map((url) => {
      const { protocol, host, pathname } = new URL(url);
      return `${protocol}//${host}${pathname}`;
    })
    .join(', ');
}

/** True when valid URLs ask for TLS, as either all or none do. The scheme counts in upper case as well. */
export function asksForTls(value: string): boolean {
  const { protocol } = new URL(urlsOf(value)[0] ?? value);
  return protocol === 'rediss:' || protocol === 'amqps:';
}

/** Ports of URLs that name none. */
export const DEFAULT_PORTS = { redis: 6379, sentinel: 26_379, amqps: 5671 } as const;

/** A server, by name or address; an IPv6 address is without brackets. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Host and port of each valid URL. @param defaultPort where a URL names none */
export function addressesOf(value: string, defaultPort: number): Address[] {
  return urlsOf(value).map((url) => {
    const { hostname, port } = new URL(url);
    return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? defaultPort : Number(port) };
  });
}

/** The virtual host of a valid RABBITMQ_URL; several URLs have the same. */
export function vhostOf(value: string): string {
  return decodeURIComponent(new URL(urlsOf(value)[0] ?? value).pathname.slice(1)) || '/';
}

/** True when one URL of a valid RABBITMQ_URL logs in as guest with the password guest, which is also what it does without a user. */
export function isGuest(url: string): boolean {
  const { user, password } = credentialsOf(url) ?? { user: 'guest', password: 'guest' };
  return user === 'guest' && password === 'guest';
}

/** True for a host that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|.+\.localhost|127(?:\.\d{1,3}){3}|\[?::1\]?|\[?::ffff:(?:127\.[\d.]+|7f[\da-f]{2}:[\da-f]{1,4})\]?)$/i.test(
    host,
  );
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
  if (url.hostname.includes(',')) return `${expected}; where there are several, each begins so`;
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
