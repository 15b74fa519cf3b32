/** Preloaded by a process (`--import`): its wall clock is off by `CLOCK_SKEW_MS`. Monotonic time is correct. */
const skewMs = Number(process.env['CLOCK_SKEW_MS']);
const RightDate = Date;
const rightNow = Date.now.bind(Date);

RightDate.now = () => rightNow() + skewMs;
globalThis.Date = new Proxy(RightDate, {
  apply: () => new RightDate(RightDate.now()).toString(),
  construct: (target, values: unknown[], newTarget) =>
    Reflect.construct(target, values.length === 0 ? [RightDate.now()] : values, newTarget) as Date,
});
