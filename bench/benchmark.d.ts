/** What is used of the package benchmark, which says no types of its own. */
declare module 'benchmark' {
  export default class Benchmark {
    constructor(name: string, fn: () => void, options: { maxTime: number; minSamples: number });
    /** Runs it, and comes back when it is done. */
    run(): this;
    /** Calls a second. */
    readonly hz: number;
    readonly stats: {
      /** Margin of error of the mean, in percent of it. */
      readonly rme: number;
    };
    /** What `fn` threw. */
    readonly error?: Error;
  }
}
