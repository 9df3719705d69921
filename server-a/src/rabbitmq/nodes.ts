/** The RabbitMQ nodes that RABBITMQ_URL names, and the order in which they are tried. */
import { credentials } from 'amqplib';
import { credentialsOf, MAX_HEARTBEAT_SECONDS, urlsOf } from '../config/urls.js';

/** One node, in the words of amqplib. */
export interface RabbitMqNode {
  /** Host and port, for logs. */
  readonly name: string;
  readonly url: string;
  /** User and password, if the URL has them. Without them amqplib logs in as guest. */
  readonly login: { readonly credentials?: ReturnType<typeof credentials.plain> };
}

/** Returns the nodes of a valid RABBITMQ_URL, each once. */
export function nodesOf(urls: string): RabbitMqNode[] {
  const nodes = new Map(urlsOf(urls).map((url) => [nameOf(url), nodeOf(url)]));
  return [...nodes.values()];
}

/**
 * Returns the nodes in random order, so that replicas spread over them.
 *
 * @param left the node that was left just now; it comes last
 */
export function tryingOrder(
  nodes: readonly RabbitMqNode[],
  left: RabbitMqNode | undefined,
  random: () => number = Math.random,
): RabbitMqNode[] {
  return nodes
    .map((node) => ({ node, rank: node === left ? 1 : random() }))
    .sort((one, other) => one.rank - other.rank)
    .map(({ node }) => node);
}

function nodeOf(url: string): RabbitMqNode {
  const parsed = new URL(url);
  // Without heartbeats TCP would wait for a peer that vanished, for minutes.
  if (!parsed.searchParams.has('heartbeat')) {
    parsed.searchParams.set('heartbeat', String(MAX_HEARTBEAT_SECONDS));
  }
  return { name: nameOf(url), url: parsed.href, login: loginOf(url) };
}

function nameOf(url: string): string {
  const { protocol, hostname, port } = new URL(url);
  return `${hostname}:${port || (protocol === 'amqps:' ? '5671' : '5672')}`;
}

/**
 * Left to itself, amqplib takes percent-encoded UTF-8 for Latin-1, and sends another password than was meant.
 */
function loginOf(url: string): RabbitMqNode['login'] {
  const login = credentialsOf(url);
  return login === undefined ? {} : { credentials: credentials.plain(login.user, login.password) };
}
