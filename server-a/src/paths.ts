/** Path of the send endpoint, from the specification. */
export const SEND_PATH = '/api/v1/sms/send';
