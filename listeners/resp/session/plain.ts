/** Which commands may follow one another before they are answered. */

interface Plain {
  readonly writes: boolean;
  /** null: it goes to the databases. */
  readonly handler: unknown;
  readonly mayWait: boolean;
}

/**
 * Whether it is answered without waiting for data, a time or other daemons, in the order in which it is sent.
 * @param carries  whether reads are, too
 */
export function isPlain({ writes, handler, mayWait }: Plain, carries: boolean): boolean {
  return (writes || carries) && handler === null && !mayWait;
}
