/** Delays answers to reads until everything that they show is as safe as --fsync requires. */

/** The part of a state that determines which reads are safe. */
export interface FlushingState {
  /**
   * Settles when everything that reads see now is as safe as --fsync requires, or null if it already is. Rejects if the
   * disk has failed.
   */
  readonly flushing: Promise<void> | null;
  /** The number of times that the state was replaced by one without the writes that a failed disk does not have. */
  readonly undone: number;
}

/**
 * Returns the answer to a read once everything that it may show is safe.
 * @param answer  a promise if the read takes several turns: it may show all states from now until it resolves
 * @param lost    returns the answer if the disk has failed instead, for a reason
 */
export function whenSafe<Answer>(
  state: FlushingState,
  answer: Answer | Promise<Answer>,
  lost: (reason: string) => Answer,
): Answer | Promise<Answer> {
  if (!(answer instanceof Promise)) return whenFlushed(state, answer, lost);
  const { undone } = state;
  return answer.then((settled) =>
    state.undone === undone ? whenFlushed(state, settled, lost) : lost(UNDONE),
  );
}

function whenFlushed<Answer>(
  { flushing }: FlushingState,
  answer: Answer,
  lost: (reason: string) => Answer,
): Answer | Promise<Answer> {
  if (flushing === null) return answer;
  return flushing.then(
    () => answer,
    ({ message }: Error) => lost(message),
  );
}

const UNDONE = "the disk has failed during the read";
