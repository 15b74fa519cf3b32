/**
 * Message texts by which LiteLLM (1.106) reports missing or invalid credentials. Its status codes do not tell: a key that Gemini rejects
 * gives a 400, like a client error, and a missing key gives a 500, like a temporary failure. The first pattern is Google's machine-readable
 * reason; the others are messages of the openai library and of LiteLLM.
 */
const PHRASES = [
  /"reason": ?"API_KEY_INVALID"/,
  /Exception(?: APIError)? - Missing credentials\. Please pass /,
  /: Missing Gemini API key\. /,
];

/** Whether a call failed because LiteLLM's credentials are missing or invalid, by its error message. */
export function lacksCredentials(message: string): boolean {
  return PHRASES.some((phrase) => phrase.test(message));
}
