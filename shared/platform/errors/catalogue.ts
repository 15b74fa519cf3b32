/**
 * The error catalogue. A code determines the HTTP status, whether a retry can help, and the message that clients see. Queues and
 * clients decide by `retryable`, never by message text.
 */
interface ErrorSpec {
  /** HTTP status of the API response. */
  readonly status: number;
  /** OpenAI's error `type`. */
  readonly type:
    | 'invalid_request_error'
    | 'authentication_error'
    | 'permission_error'
    | 'not_found_error'
    | 'conflict_error'
    | 'rate_limit_error'
    | 'server_error';
  /** True when the same request may succeed later. */
  readonly retryable: boolean;
  /** Safe for clients: reveals no internals. */
  readonly message: string;
}

export const catalogue = {
  // The request
  invalid_json: bad(400, 'The request body is not valid JSON.'),
  invalid_value: bad(400, 'A parameter has an invalid value.'),
  unknown_parameter: bad(400, 'The request has an unknown parameter.'),
  unsupported_parameter: bad(400, 'The request has an unsupported parameter.'),
  previous_response_not_found: bad(400, 'The previous response does not exist or was not stored.'),
  unsupported_media_type: bad(415, 'The request body must be application/json.'),
  body_too_large: bad(413, 'The request body is larger than this server accepts.'),
  unsupported_document: bad(400, 'A document has an unsupported format.'),
  context_length_exceeded: bad(400, "The messages do not fit into the model's context window."),
  model_not_found: {
    status: 404,
    type: 'not_found_error',
    retryable: false,
    message: 'The model does not exist.',
  },
  file_not_found: {
    status: 404,
    type: 'not_found_error',
    retryable: false,
    message: 'The file does not exist.',
  },
  assistant_not_found: {
    status: 404,
    type: 'not_found_error',
    retryable: false,
    message: 'The assistant does not exist.',
  },
  storage_limit_exceeded: bad(
    413,
    'You have reached your storage limit. Delete some files or stored answers.',
  ),
  too_many_files: bad(400, 'You have reached your limit of files. Delete some files.'),
  not_found: {
    status: 404,
    type: 'not_found_error',
    retryable: false,
    message: 'The requested URL does not exist.',
  },
  answer_too_large: bad(413, 'The answer is too large for a response in one piece. Request a stream.'),
  malformed_request: bad(400, 'The request is not valid HTTP.'),
  headers_too_large: bad(431, 'The headers of the request are larger than this server accepts.'),
  request_timeout: bad(408, 'The request did not arrive in time.'),
  method_not_allowed: bad(405, 'The requested URL does not support this HTTP method.'),
  invalid_api_key: {
    status: 401,
    type: 'authentication_error',
    retryable: false,
    message: 'The API key is missing or not valid.',
  },
  user_blocked: {
    status: 403,
    type: 'permission_error',
    retryable: false,
    message: 'An operator has blocked this user.',
  },
  admin_required: {
    status: 403,
    type: 'permission_error',
    retryable: false,
    message: 'Only admins may use this endpoint.',
  },
  rate_limit_exceeded: limited(true, 'A limit of requests or tokens per minute has been reached.'),
  request_too_large: limited(false, 'The request may use more tokens than the limit per minute allows.'),
  insufficient_quota: limited(false, 'The rest of a budget does not cover the request.'),
  model_not_priced: bad(400, 'The price of the model is unknown, so a budget in dollars cannot be charged.'),
  queue_limit_exceeded: limited(true, 'You have reached your limit of open jobs.'),
  identity_unavailable: server(503, true, 'The identity provider is unavailable. Try again.'),
  idempotency_conflict: {
    status: 409,
    type: 'conflict_error',
    retryable: false,
    message: 'This idempotency key was used before with another request body.',
  },

  // The model provider
  upstream_rejected: bad(400, 'The model provider rejected the request as invalid.'),
  upstream_model_not_found: {
    status: 404,
    type: 'not_found_error',
    retryable: false,
    message: 'The model provider does not know this model.',
  },
  upstream_auth: server(502, false, 'The model provider refused our credentials.'),
  upstream_rate_limited: {
    status: 429,
    type: 'rate_limit_error',
    retryable: true,
    message: 'The model provider is limiting requests. Try again later.',
  },
  upstream_failed: server(502, true, 'The model provider failed to answer.'),
  upstream_unreachable: server(502, true, 'The model provider could not be reached.'),
  upstream_stalled: server(504, true, 'The model provider stopped responding.'),
  upstream_cut: server(502, true, 'The answer of the model provider was cut off.'),
  no_legacy_path: server(503, false, 'No legacy backend is configured.'),

  // Operator commands
  command_refused: {
    status: 409,
    type: 'conflict_error',
    retryable: false,
    message: 'The command was refused.',
  },
  no_leader: server(
    503,
    true,
    'The rollout has no leader at the moment. The next leader will process the command.',
  ),

  // Webhooks
  webhook_limit: bad(400, 'You have reached your limit of webhook endpoints.'),
  webhook_test_running: {
    status: 429,
    type: 'rate_limit_error',
    retryable: true,
    message: 'A test of this webhook endpoint is already running.',
  },
  webhook_disabled: bad(400, 'The webhook endpoint was disabled or removed.'),
  webhook_gone: bad(410, 'The webhook endpoint answered 410 Gone.'),
  webhook_target_refused: server(502, true, 'The URL of the webhook endpoint is not allowed.'),
  webhook_unreachable: server(502, true, 'The webhook endpoint could not be reached.'),
  webhook_timeout: server(504, true, 'The webhook endpoint did not answer in time.'),
  webhook_rejected: server(502, true, 'The webhook endpoint did not answer with a success status.'),
  webhook_secret_unreadable: server(500, true, 'The signing secret of the webhook endpoint cannot be read.'),

  // Turnout itself
  deadline_exceeded: server(504, true, 'The request was not answered before its deadline.'),
  attempt_lost: server(502, true, 'The answer was interrupted and could not be continued.'),
  poison_job: server(500, false, 'The job crashed its workers repeatedly and is not retried.'),
  context_failed: server(502, true, 'A required document could not be prepared for the model.'),
  source_failed: server(502, true, 'A required source of context did not answer.'),
  source_timeout: server(504, true, 'A required source of context did not answer in time.'),
  unreadable_message: server(500, false, 'The job could not be read.'),
  queue_unavailable: server(503, true, 'The job could not be queued. Nothing was started. Try again.'),
  store_unavailable: server(
    503,
    true,
    'The job store is unavailable. Try again with the same Idempotency-Key, so that nothing runs twice.',
  ),
  overloaded: server(503, true, 'The server is overloaded. Try again later.'),
  shutting_down: server(503, true, 'This server is shutting down. Try again.'),
  log_rewound: server(500, true, 'The end of this answer was lost and could not be restored.'),
  cancelled: {
    status: 499,
    type: 'invalid_request_error',
    retryable: false,
    message: 'The job was cancelled.',
  },
  internal_error: server(500, true, 'Something went wrong on our side.'),
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof catalogue;

export const errorCodes = Object.keys(catalogue) as [ErrorCode, ...ErrorCode[]];

/** Codes of a later release, written by another process, are treated as retryable failures. */
const ADDED_LATER: ErrorSpec = catalogue.internal_error;

export function errorSpec(code: ErrorCode): ErrorSpec {
  return isKnownCode(code) ? catalogue[code] : ADDED_LATER;
}

export function isKnownCode(code: string): code is ErrorCode {
  return Object.hasOwn(catalogue, code);
}

function bad(status: number, message: string) {
  return { status, type: 'invalid_request_error', retryable: false, message } as const;
}

function limited(retryable: boolean, message: string) {
  return { status: 429, type: 'rate_limit_error', retryable, message } as const;
}

function server(status: number, retryable: boolean, message: string) {
  return { status, type: 'server_error', retryable, message } as const;
}
