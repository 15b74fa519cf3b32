/**
 * What LiteLLM (1.106) says, in words only, of credentials that it has not got or that the provider does not know: a key
 * that Gemini refuses is a 400 there, as for a mistake of the caller's, and a key that is missing a 500, as for a provider
 * that may recover. The first is Google's machine-readable reason, the others are the words of the openai library and of
 * LiteLLM itself.
 */
const PHRASES = [
  /"reason": ?"API_KEY_INVALID"/,
  /Exception(?: APIError)? - Missing credentials\. Please pass /,
  /: Missing Gemini API key\. /,
];

/** Whether a failed call failed for want of our credentials, as its message tells. */
export function lacksCredentials(message: string): boolean {
  return PHRASES.some((phrase) => phrase.test(message));
}
