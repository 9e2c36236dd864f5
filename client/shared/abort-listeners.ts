/**
 * Listeners for AbortSignals. All listeners of a signal share one of its event listeners, because many calls may have
 * the same signal, and Node warns of a leak if a signal has more than ten.
 */

const listeners = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `listener` when the signal is aborted. */
export function onAbort(signal: AbortSignal, listener: () => void): void {
  const found = listeners.get(signal);
  if (found !== undefined) {
    found.add(listener);
    return;
  }
  listeners.set(signal, new Set([listener]));
  signal.addEventListener("abort", callAll);
}

export function removeAbortListener(signal: AbortSignal, listener: () => void): void {
  const found = listeners.get(signal);
  found?.delete(listener);
  if (found?.size !== 0) return;
  listeners.delete(signal);
  signal.removeEventListener("abort", callAll);
}

function callAll(this: AbortSignal): void {
  for (const listener of [...(listeners.get(this) ?? [])]) listener();
}
