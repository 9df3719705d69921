/** A server of the tests, of `make run` or of a fault experiment, under this process's control. */
export interface ManagedServer {
  /** Address that a client connects to; the same after every restart. */
  readonly url: string;
  /** TCP port on 127.0.0.1; the same after every restart. */
  readonly port: number;
  /** Process id, or undefined while the server does not run. */
  readonly pid: number | undefined;
  /** Starts it again on the same port and data, and waits until it answers; does nothing if it runs. */
  start(): Promise<void>;
  /** Ends it in an orderly way; on disk is what the server keeps over a planned restart. */
  stop(): Promise<void>;
  /** Ends it at once with SIGKILL, as a crash would. */
  kill(): Promise<void>;
  /** Suspends it (SIGSTOP): connections stay open, nothing answers. */
  freeze(): void;
  /** Lets it go on after {@link ManagedServer.freeze} (SIGCONT). */
  resume(): void;
}
