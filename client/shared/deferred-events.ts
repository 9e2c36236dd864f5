/** Returns an iterator before its source is ready, because code or a key may have to be loaded first. */

/** Returns an iterator over the events of `coming`. @param coming  if it rejects, the first `next` rejects */
export function deferredEvents<Event>(
  coming: Promise<AsyncIterableIterator<Event>>,
): AsyncIterableIterator<Event> {
  coming.catch(() => {});
  const iterator: AsyncIterableIterator<Event> = {
    next: async () => await (await coming).next(),
    return: async () => (await (await coming).return?.()) ?? { value: undefined, done: true },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}
