/** What an entry of CLIENT_CONFIG may say, field by field. */
import * as yup from 'yup';

/** Visible ASCII without ':', '{' and '}': in Redis keys these would let two clients meet; a header carries no more. */
export const IDENTITY = /^[\x21-\x39\x3b-\x7a\x7c\x7e]{1,255}$/;
/** What {@link IDENTITY} asks for, in words. */
export const IDENTITY_EXPECTED = '1 to 255 visible ASCII characters without ":", "{" and "}"';
/** RFC 3339, with its offset: a time without one would depend on where the gateway runs. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?(?:Z|[+-]\d\d:\d\d)$/;
const TIME_EXPECTED = 'must be a time with its offset, such as 2027-01-31T00:00:00Z';

/** More than any Redis admits in a second; what is larger is a mistake. */
const MOST_PER_SECOND = 1_000_000;

/** Not the fields themselves: where clients are nested one level too deep, they are API keys. */
const UNKNOWN_FIELD =
  'has unknown fields; known are name, is_active, daily_quota, max_per_second, id and not_after';

/** What CLIENT_CONFIG says of one API key. */
export const clientSchema = yup
  .object({
    name: yup
      .string()
      .defined('is required')
      .trim('must not begin or end with a space')
      .min(1, 'must not be empty')
      .max(200, 'must have at most 200 characters')
      .typeError('must be a string'),
    is_active: yup.boolean().defined('is required').typeError('must be true or false'),
    daily_quota: yup
      .number()
      .defined('is required')
      .typeError('must be a whole number')
      .integer('must be a whole number')
      .min(0, 'must be 0 or more')
      .max(Number.MAX_SAFE_INTEGER, 'is too large'),
    max_per_second: yup
      .number()
      .typeError('must be a whole number')
      .integer('must be a whole number')
      .min(1, 'must be 1 or more')
      .max(MOST_PER_SECOND, `must be at most ${MOST_PER_SECOND}`),
    id: yup
      .string()
      .typeError('must be a string')
      .matches(IDENTITY, { message: `must be ${IDENTITY_EXPECTED}` }),
    not_after: yup
      .string()
      .typeError(TIME_EXPECTED)
      .test('time', TIME_EXPECTED, (value) => value === undefined || isTime(value)),
  })
  .typeError('must be an object')
  .noUnknown(UNKNOWN_FIELD);

/** Dates that a calendar does not have, such as 30 February, would silently become others. */
function isTime(text: string): boolean {
  if (!TIME.test(text) || Number.isNaN(Date.parse(text))) return false;
  const [day = ''] = text.split('T');
  return new Date(`${day}T00:00:00Z`).toISOString().startsWith(day);
}
