/** One fault of the configuration: which variable, where in it, and what would be right. Never holds a secret. */
export interface ConfigFault {
  readonly variable: string;
  /** Place inside a JSON value, for instance `[client 2].daily_quota`; '' for the variable as a whole. */
  readonly path: string;
  readonly message: string;
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
