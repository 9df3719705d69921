/** What an experiment is given, and what it returns. */
import type { ManagedServer } from '../dev/services/managed-server.js';
import type { Target } from './target.js';

/** What experiments are made with. */
export interface Bench {
  readonly redis: ManagedServer;
  readonly rounds: number;
  readonly sliceMs: number;
  readonly quick: boolean;
  readonly progress: (text: string) => void;
  readonly gateway: (env?: Readonly<Record<string, string>>, nodeArgs?: readonly string[]) => Promise<Target>;
  readonly floor: (nodeArgs?: readonly string[]) => Promise<Target>;
  /** The same service in the stack of its specification, and the Python that runs it. */
  readonly peer: () => Promise<Target>;
  readonly python: string;
  /** Another build of the gateway; undefined = none was named. */
  readonly other:
    | ((nodeArgs?: readonly string[], env?: Readonly<Record<string, string>>) => Promise<Target>)
    | undefined;
}

/** A table, and its figures for the JSON file. */
export interface Outcome {
  readonly table: string;
  readonly figures: unknown;
}
