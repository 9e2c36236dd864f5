/** Long work in small steps: run `next()` until `done`, some milliseconds at a time, so that nobody else has to wait. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** All at once, for whom nobody waits. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Milliseconds of one slice; others are served between two. */
const SLICE_MS = 5;

/** In slices, beside everything else. Rejects with what the steps throw. */
export function inSlices<T>(
  steps: Steps<T>,
  { soon, uptime }: { readonly soon: (step: () => void) => void; readonly uptime: () => number },
): Promise<T> {
  return new Promise((resolve, reject) => {
    const slice = (): void => {
      const end = uptime() + SLICE_MS;
      try {
        do {
          const { done, value } = steps.next();
          if (done === true) {
            resolve(value);
            return;
          }
        } while (uptime() < end);
      } catch (problem) {
        reject(problem);
        return;
      }
      soon(slice);
    };
    slice();
  });
}
