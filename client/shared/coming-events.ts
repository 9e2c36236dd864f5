/** Makes an iterator before its source is ready: code may have to be loaded first, or a key to be found. */

/** @param coming  its rejection is that of the first event */
export function comingEvents<Event>(
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
