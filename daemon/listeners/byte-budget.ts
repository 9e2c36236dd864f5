/** How many bytes all connections of a listener hold together: unfinished requests and answers that wait. */

export class ByteBudget {
  /** Bytes; replaced when the configuration is read again. */
  most: number;
  #held = 0;

  constructor(most: number) {
    this.most = most;
  }

  get held(): number {
    return this.#held;
  }

  /**
   * @param bytes  more than before, or fewer when negative
   * @returns whether all is within bounds
   */
  change(bytes: number): boolean {
    this.#held += bytes;
    return this.#held <= this.most;
  }
}
