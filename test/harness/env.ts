const NAMES = [
  'KAFKA_BROKERS',
  'REDIS_URL',
  'CACHE_REDIS_URL',
  'LITELLM_URL',
  'LITELLM_MASTER_KEY',
  'UPSTREAM_URL',
  'LEGACY_BASE_URL',
  'LEGACY_API_KEY',
  'TURNOUT_TEST_STATE',
  'TURNOUT_SECRET',
  'TURNOUT_ADMIN_KEY',
  'TURNOUT_API_KEY',
  'TURNOUT_API_KEY_2',
  'API_KEYS_FILE',
] as const;

export type TestEnv = Readonly<Record<(typeof NAMES)[number], string>>;

/** The addresses and keys of the system that this test run uses. Throws when the test runs outside the Jest project `system`. */
export function testEnv(): TestEnv {
  const missing = NAMES.filter((name) => process.env[name] === undefined);
  if (missing.length > 0) {
    throw new Error(
      `Not set: ${missing.join(', ')}. Run tests that need the stack in the Jest project "system".`,
    );
  }
  return Object.fromEntries(NAMES.map((name) => [name, process.env[name]])) as TestEnv;
}
