import { type ChannelModel, connect } from 'amqplib';

/** A consumer as Server B will be: takes every message, acknowledges it, remembers it. Survives the broker. */
export class Consumer {
  /** Deliveries by tracking id; a redelivery (its acknowledgement was lost) is not counted again. */
  readonly deliveries = new Map<string, number>();
  /** Message texts (the sender's own name for a message) by tracking id. */
  readonly texts = new Map<string, string>();
  /** Nodes of the broker; the next one is used when one has failed. */
  readonly #urls: readonly string[];
  #turn = 0;
  readonly #queue: string;
  #connection: ChannelModel | undefined;
  #stopped = false;
  #lastDeliveryAt = performance.now();

  constructor(urls: string | readonly string[], queue: string) {
    this.#urls = [urls].flat();
    this.#queue = queue;
    void this.#consume();
  }

  /** Waits until nothing has come for a while and the queue is empty. */
  async untilDrained(limitMs = 30_000): Promise<void> {
    const startedAt = performance.now();
    for (;;) {
      await pause(100);
      const quiet = performance.now() - this.#lastDeliveryAt > 700;
      const waiting = await this.#waiting();
      if (quiet && waiting === 0) return;
      // The broker does not always tell a consumer that its (deleted and remade) queue is another one now.
      if (quiet && waiting > 0) this.#connection?.close().catch(() => {});
      if (performance.now() - startedAt > limitMs) throw new Error('the outbound queue did not drain');
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#connection?.close().catch(() => {});
  }

  get #url(): string {
    return this.#urls[this.#turn % this.#urls.length] ?? '';
  }

  async #waiting(): Promise<number> {
    try {
      const connection = await connect(this.#url, { timeout: 2000 });
      connection.on('error', () => {});
      const channel = await connection.createChannel();
      channel.on('error', () => {});
      const { messageCount } = await channel.checkQueue(this.#queue);
      await connection.close();
      return messageCount;
    } catch {
      this.#turn += 1;
      return Number.NaN;
    }
  }

  async #consume(): Promise<void> {
    while (!this.#stopped) {
      try {
        const connection = await connect(this.#url, { timeout: 2000 });
        this.#connection = connection;
        const closed = new Promise<void>((resolve) => {
          connection.on('close', () => resolve());
        });
        connection.on('error', () => {});
        const channel = await connection.createChannel();
        channel.on('error', () => {});
        const channelEnded = new Promise<void>((resolve) => {
          channel.on('close', () => resolve());
        });
        await channel.prefetch(500);
        await channel.consume(this.#queue, (message) => {
          if (message === null) {
            // The queue was deleted: begin anew.
            connection.close().catch(() => {});
            return;
          }
          this.#record(message.properties.messageId, message.content, message.fields.redelivered);
          channel.ack(message);
        });
        await Promise.race([closed, channelEnded]);
        await connection.close().catch(() => {});
      } catch {
        // The broker or the queue is away; both come back.
        this.#turn += 1;
      }
      await pause(100);
    }
  }

  #record(messageId: unknown, content: Buffer, redelivered: boolean): void {
    this.#lastDeliveryAt = performance.now();
    const id = String(messageId);
    const envelope: { readonly text: string } = JSON.parse(content.toString());
    this.texts.set(id, envelope.text);
    const before = this.deliveries.get(id) ?? 0;
    this.deliveries.set(id, redelivered ? Math.max(1, before) : before + 1);
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
