/** One fault of the configuration: which variable, where in it, and what would be right. Never holds a secret. */
export interface ConfigFault {
  readonly variable: string;
  /** Place inside a JSON value, for instance `[client 2].daily_quota`; '' for the variable as a whole. */
  readonly path: string;
  readonly message: string;
  /** Name of the client that it is about, where that is known: its number alone is hard to find among thousands. */
  readonly client?: string;
}

/** Receives a fault. */
export type AddFault = (fault: ConfigFault) => void;

/** Puts faults into lines for people, each indented and with its end of line. */
export function faultLines(faults: readonly ConfigFault[]): string {
  return faults
    .map(({ variable, path, message, client }) => {
      const about = client === undefined ? '' : ` (client ${JSON.stringify(client)})`;
      return `  ${variable}${path} ${message}${about}\n`;
    })
    .join('');
}

/** Thrown once, with every fault that was found. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    super(faults.map((fault) => `${fault.variable}${fault.path} ${fault.message}`).join('; '));
    this.faults = faults;
  }
}
