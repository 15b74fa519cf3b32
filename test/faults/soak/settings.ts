/** Duration of the soak in minutes: MINUTES, else ten, or sixty with FULL=1. Throws for an invalid value. */
export function soakMinutes(env: NodeJS.ProcessEnv): number {
  const text = env['MINUTES'];
  if (text === undefined || text === '') return env['FULL'] === '1' ? 60 : 10;
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`MINUTES must be a whole number from 1, not ${text}`);
  return Number(text);
}
