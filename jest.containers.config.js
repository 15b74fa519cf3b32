import { common } from './jest.config.js';

/** What needs a Docker engine, and starts all that it needs. */
export default {
  ...common,
  displayName: 'containers',
  reporters: ['default', '<rootDir>/test/harness/count-reporter.ts'],
  testMatch: ['<rootDir>/test/containers/*.test.ts'],
};
