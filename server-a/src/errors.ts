/**
 * The error catalogue: every code that the gateway answers, with its status, its message and what the sender
 * should do. The README's table is made from this object by `make docs`.
 */

/** One row of the catalogue. */
export interface ErrorDefinition {
  /** HTTP status, unless the thrown error narrows it (413 and 415 are INVALID_PAYLOAD too). */
  readonly status: number;
  /**
   * `decision`: the same request would be refused again, so the refusal is kept for its key. `temporary`: the refusal
   * passes by itself, and is kept for a minute at the most. `failure`: nothing is decided, and nothing is kept.
   */
  readonly kind: 'decision' | 'temporary' | 'failure';
  /** Sentence for a person; says nothing of the gateway's inside. */
  readonly message: string;
  /** What the sender should do; for the documentation. */
  readonly retry: string;
}

/** Every error code, keyed by the code itself. The first eight are the send endpoint's, from the specification. */
export const ERRORS = {
  INVALID_PAYLOAD: {
    status: 400,
    kind: 'decision',
    message: 'The request is not valid.',
    retry: 'Correct the fields named in details and send with a new key.',
  },
  UNAUTHORIZED: {
    status: 401,
    kind: 'decision',
    message: 'The API-Key header is missing, unknown or disabled.',
    retry: 'Correct the API key; the idempotency key is not used up.',
  },
  UNKNOWN_PROVIDER: {
    status: 422,
    kind: 'decision',
    message: 'A provider in the request is not known.',
    retry: 'Use a name from details.allowed, with a new key.',
  },
  PROVIDER_DISABLED: {
    status: 409,
    kind: 'decision',
    message: 'The requested provider is disabled.',
    retry: 'Choose another provider, with a new key.',
  },
  ALL_PROVIDERS_DISABLED: {
    status: 409,
    kind: 'decision',
    message: 'All requested providers are disabled.',
    retry: 'Choose other providers, with a new key.',
  },
  NO_PROVIDER_AVAILABLE: {
    status: 503,
    kind: 'temporary',
    message: 'No provider is available at the moment.',
    retry: 'Retry after Retry-After seconds.',
  },
  TOO_MANY_REQUESTS: {
    status: 429,
    kind: 'temporary',
    message: 'The daily quota is used up.',
    retry:
      'Retry after Retry-After seconds: details.reason is daily_quota (it resets at midnight UTC) or rate (too many new messages in a second).',
  },
  INTERNAL_ERROR: {
    status: 500,
    kind: 'failure',
    message: 'The request could not be processed. Retry with the same idempotency key.',
    retry:
      'Retry with the same key after Retry-After seconds; details.accepted says whether it may have been accepted.',
  },
  NOT_FOUND: {
    status: 404,
    kind: 'decision',
    message: 'There is nothing at this path.',
    retry: 'Correct the path.',
  },
  KEY_NOT_FOUND: {
    status: 404,
    kind: 'decision',
    message: 'There is no record of this idempotency key.',
    retry: 'Send the message with this key: none of the key is known.',
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    kind: 'decision',
    message: 'This path does not serve this method.',
    retry: 'Use a method from the Allow header.',
  },
} as const satisfies Record<string, ErrorDefinition>;

/** A code of the catalogue. */
export type ErrorCode = keyof typeof ERRORS;

/** One fault of a request: the field (or header) and what would be right. */
export interface FieldFault {
  readonly field: string;
  readonly message: string;
}

/** What is said of a field that is missing. */
export const REQUIRED = 'is required';
/** What is said of a field that is none. */
export const UNKNOWN_FIELD = 'is not a field of this request';
/** What is said of a body, or an item of a batch, that is no object. */
export const OBJECT_EXPECTED = 'must be a JSON object';

/** What may be added to an error of the catalogue where it is thrown. */
export interface ErrorExtras {
  /** Structured facts for the sender; serialised as they are. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Narrower HTTP status than the catalogue's (413, 415). */
  readonly status?: number;
  /** Sentence for a person that says more than the catalogue's. */
  readonly message?: string;
  /** Response headers, for instance `Retry-After`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Redis time at which the reason of a temporary refusal passes, where that is known: milliseconds since 1970. */
  readonly passesAtMs?: number;
  /** What really happened, for the log only. */
  readonly cause?: unknown;
}

/** An answer that refuses: thrown by any layer, turned into a body by {@link renderError} alone. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly details: Readonly<Record<string, unknown>> | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** See {@link ErrorExtras.passesAtMs}; infinite where it is not known. */
  readonly passesAtMs: number;
  /** The body, once rendered: an answer that was stored must go out with the same bytes. */
  rendered: string | undefined;

  constructor(code: ErrorCode, extras: ErrorExtras = {}) {
    // Without a stack: taking one is the dearest part of a refusal, and nobody looks at it. What went wrong inside is the
    // cause, and that has its own.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(
      extras.message ?? ERRORS[code].message,
      extras.cause === undefined ? undefined : { cause: extras.cause },
    );
    Error.stackTraceLimit = stackTraceLimit;
    this.code = code;
    this.status = extras.status ?? ERRORS[code].status;
    this.details = extras.details;
    this.headers = extras.headers ?? NO_HEADERS;
    this.passesAtMs = extras.passesAtMs ?? Number.POSITIVE_INFINITY;
  }

  /** What the refusal means for its idempotency key; see {@link ErrorDefinition.kind}. */
  get kind(): ErrorDefinition['kind'] {
    return ERRORS[this.code].kind;
  }
}

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/** Seconds after which a sender should retry an INTERNAL_ERROR: reconnects and failovers take about this long. */
const INTERNAL_RETRY_SECONDS = '1';

/**
 * Makes an INTERNAL_ERROR.
 *
 * @param accepted whether the message may nevertheless be in the broker: `no` is certain, `unknown` is not
 * @param cause what really happened, for the log
 */
export function internalError(accepted: 'no' | 'unknown', cause?: unknown): ApiError {
  return new ApiError('INTERNAL_ERROR', {
    details: { accepted, retry: 'same_key' },
    headers: { 'Retry-After': INTERNAL_RETRY_SECONDS },
    cause,
  });
}

/** Faults that an answer lists at the most; of more, it says how many more there are. */
export const FAULTS_LISTED = 20;
/** Characters (UTF-16 units) of a sender's own name for something that an answer repeats; what is longer is cut. */
export const NAME_SHOWN = 64;

/**
 * Makes an INVALID_PAYLOAD that names each fault by field. However many there are and however long their fields' names,
 * its body stays under 16 KiB: it is stored under the request's idempotency key.
 *
 * @param cause what really happened, for the log
 */
export function invalidPayload(errors: readonly FieldFault[], status = 400, cause?: unknown): ApiError {
  const listed = errors
    .slice(0, FAULTS_LISTED)
    .map(({ field, message }) => ({ field: shownName(field), message }));
  const notListed = errors.length - listed.length;
  const details = notListed === 0 ? { errors: listed } : { errors: listed, not_listed: notListed };
  return new ApiError('INVALID_PAYLOAD', { details, status, cause });
}

/** Returns a name that a sender chose as an answer shows it: {@link NAME_SHOWN} characters of it, and `…` for the rest. */
export function shownName(name: string): string {
  // Well-formed: the cut may be within a surrogate pair.
  return name.length <= NAME_SHOWN ? name : `${name.slice(0, NAME_SHOWN).toWellFormed()}…`;
}

/**
 * Returns what was thrown as an {@link ApiError}; anything but one becomes an INTERNAL_ERROR that shows nothing of
 * it.
 *
 * @param accepted as for {@link internalError}
 */
export function toApiError(thrown: unknown, accepted: 'no' | 'unknown' = 'no'): ApiError {
  return thrown instanceof ApiError ? thrown : internalError(accepted, thrown);
}

/** Throws on what was thrown; of an error that nobody foresaw it is `unknown` whether it came after a publish. */
export function throwAsUnknown(thrown: unknown): never {
  throw toApiError(thrown, 'unknown');
}

/**
 * Serialises an error body, `{ error_code, message, details?, tracking_id?, timestamp }`, once: a second call
 * returns the same bytes, whatever its arguments.
 *
 * @param trackingId the request's tracking id if it has one. Left out of a refusal that is only for now (429, 503): the
 * key's next request may have another id. Left out where nothing was accepted: there is no message that it could name
 * @param now ISO 8601 time of the answer
 */
export function renderError(error: ApiError, trackingId: string | undefined, now: string): string {
  const namesMessage = error.kind !== 'temporary' && error.details?.['accepted'] !== 'no';
  error.rendered ??= JSON.stringify({
    error_code: error.code,
    message: error.message,
    details: error.details,
    tracking_id: namesMessage ? trackingId : undefined,
    timestamp: now,
  });
  return error.rendered;
}
