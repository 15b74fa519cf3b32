import manifest from '../../package.json' with { type: 'json' };

/** The version of this code, as `package.json` has it: `0.2.0`. */
export const VERSION: string = manifest.version;
