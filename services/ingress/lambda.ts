/**
 * The ingress as an AWS Lambda: each export is a handler. What they stand on is opened once for a sandbox, and serves all of its
 * invocations; where it cannot be opened the import rejects, and Lambda tries a new sandbox.
 */
import { openLambda } from './lambda/open-lambda.ts';

const lambda = await openLambda();

/** An API Gateway's HTTP API (payload format 2.0) or a Function URL; the answer is sent when it is whole. */
export const http = (event: unknown) => lambda.http(event);

/** A Function URL with `InvokeMode: RESPONSE_STREAM`. */
export const stream = awslambda.streamifyResponse((event: unknown, response) =>
  lambda.stream(event, response),
);

/** A queue as a source of jobs, with `FunctionResponseTypes: [ReportBatchItemFailures]`. */
export const sqs = (event: unknown) => lambda.sqs(event);

/** A rule of an event bus as a source of jobs. */
export const eventBridge = (event: unknown) => lambda.eventBridge(event);
