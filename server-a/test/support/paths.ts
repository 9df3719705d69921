/** Path of the send endpoint. */
export const SEND_PATH = '/api/v1/sms/send';
