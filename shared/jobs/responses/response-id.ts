const PREFIX = 'resp_';
const RESPONSE_ID = /^resp_([0-9a-f]{32})$/;

/** A response is a job under OpenAI's name; both ids have the same 32 hex digits. */
export function responseIdOf(jobId: string): string {
  return `${PREFIX}${jobId.slice('job_'.length)}`;
}

/** Undefined for an invalid response id. */
export function jobIdOfResponse(responseId: string): string | undefined {
  const [, digits] = RESPONSE_ID.exec(responseId) ?? [];
  return digits === undefined ? undefined : `job_${digits}`;
}
