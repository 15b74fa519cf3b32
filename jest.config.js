/** Two projects: `unit` needs nothing but Node; `system` runs on the real Kafka, Redis and LiteLLM that test/harness starts. */
export const common = {
  extensionsToTreatAsEsm: ['.ts'],
  testEnvironment: 'node',
  setupFiles: ['<rootDir>/test/harness/seeded-properties.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2024',
          parser: { syntax: 'typescript' },
          experimental: { keepImportAttributes: true },
        },
        sourceMaps: 'inline',
      },
    ],
  },
};

export default {
  reporters: ['default', '<rootDir>/test/harness/count-reporter.ts'],
  projects: [
    {
      ...common,
      displayName: 'unit',
      testTimeout: 20_000,
      testMatch: ['<rootDir>/{services,shared,operator,stack,bench,evals,test}/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/(integration|e2e|faults|containers)/[^/]+$'],
    },
    {
      ...common,
      displayName: 'system',
      testTimeout: 30_000,
      testMatch: ['<rootDir>/test/{integration,e2e,faults}/*.test.ts'],
      globalSetup: '<rootDir>/test/harness/global-setup.ts',
      globalTeardown: '<rootDir>/test/harness/global-teardown.ts',
    },
  ],
};
