/** Keys of the rollout's control data in the job Redis. All share one hash tag. */
export interface ControlKeys {
  /** String with an expiry: `<term>:<holder>`, the current leader's lease. */
  lease: string;
  /** String: the highest term of any leader so far. */
  term: string;
  /** Hash: the last state that a leader committed (`json`), and its epoch. */
  state: string;
  /** Hash: instance -> the epoch that it has applied, and the time of its report. */
  applied: string;
  /** String with an expiry: the figures of the leader's last verdict (JSON). */
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
