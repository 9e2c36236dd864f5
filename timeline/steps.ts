/** Long work in small steps: run `next()` until `done`, some milliseconds at a time, so that nobody else has to wait. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** All at once, for whom nobody waits. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}
