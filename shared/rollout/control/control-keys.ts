/** Keys of the job Redis for what is commanded. All share one hash tag. */
export interface ControlKeys {
  /** String with an expiry: `<term>:<holder>`, who leads. */
  lease: string;
  /** String: the last term that anybody led in. */
  term: string;
  /** Hash: the state as its leader committed it (`json`), and its epoch. */
  state: string;
  /** Hash: instance -> the epoch that it applied, and when it said so. */
  applied: string;
  /** String with an expiry: what the leader last judged by (JSON). */
  safety: string;
}

export function controlKeys(prefix: string): ControlKeys {
  const key = (name: string) => `${prefix}:{control}:${name}`;
  return {
    lease: key('lease'),
    term: key('term'),
    state: key('state'),
    applied: key('applied'),
    safety: key('safety'),
  };
}
