/** Work that takes long, done in turns of the event loop, so that nobody waits for it who asked for something else. */

/** Milliseconds a connection may work before others get their turn. */
export const TURN_MS = 5;

/**
 * @param work  steps, each much shorter than a turn
 * @param uptime  milliseconds
 * @param isWanted  asked before each further turn, default: it is; false: the work is dropped, and its promise never settles
 * @returns what the work returns; a promise, rejected with what it throws, if it takes longer than a turn
 */
export function inTurns<A>(
  work: Iterator<void, A>,
  uptime: () => number,
  isWanted: () => boolean = () => true,
): A | Promise<A> {
  const first = turnOf(work, uptime);
  if (first !== null) return first.value;
  return new Promise<A>((resolve, reject) => {
    const next = () => {
      if (!isWanted()) return;
      try {
        const done = turnOf(work, uptime);
        if (done === null) setImmediate(next);
        else resolve(done.value);
      } catch (problem) {
        reject(problem);
      }
    };
    setImmediate(next);
  });
}

/** @returns null: there is more to do */
function turnOf<A>(work: Iterator<void, A>, uptime: () => number): { readonly value: A } | null {
  const end = uptime() + TURN_MS;
  for (;;) {
    const step = work.next();
    if (step.done === true) return { value: step.value };
    if (uptime() >= end) return null;
  }
}
