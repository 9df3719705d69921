/** Where the Redis and the RabbitMQ of this test run are; `npm test` starts them and sets the variables. */
function urlFrom(variable: string): string {
  const url = process.env[variable];
  if (url === undefined || url === '') throw new Error(`${variable} is not set: run the tests with npm test`);
  return url;
}

/** URL of the Redis. */
export const REDIS_URL = urlFrom('TEST_REDIS_URL');
/** URL of the RabbitMQ. */
export const RABBITMQ_URL = urlFrom('TEST_RABBITMQ_URL');
