/**
 * The ingress as an AWS Lambda: each export is a handler. Dependencies are opened once per sandbox and shared by all its
 * invocations. If they cannot be opened, the import rejects and Lambda starts a new sandbox.
 */
import { openLambda } from './lambda/open-lambda.ts';

const lambda = await openLambda();

/** Serves an API Gateway HTTP API (payload format 2.0) or a Function URL. Sends the response only when it is complete. */
export const http = (event: unknown) => lambda.http(event);

/** Serves a Function URL with `InvokeMode: RESPONSE_STREAM`. */
export const stream = awslambda.streamifyResponse((event: unknown, response) =>
  lambda.stream(event, response),
);

/** Takes jobs from an SQS queue. The event source mapping needs `FunctionResponseTypes: [ReportBatchItemFailures]`. */
export const sqs = (event: unknown) => lambda.sqs(event);

/** Takes jobs from an EventBridge rule. */
export const eventBridge = (event: unknown) => lambda.eventBridge(event);
