/** Path of the send endpoint. */
export const SEND_PATH = '/api/v1/sms/send';
export const BATCH_PATH = '/api/v1/sms/send-batch';
/** Beginning of the path at which a client asks about a key. */
export const REQUESTS_PATH = '/api/v1/sms/requests/';
