/** SIGHUP, which asks a daemon to read its configuration again: from the program's first moment on, as it ends a process that does not handle it. */
export class HangUps {
  #reload: (() => void) | null = null;
  #hasCome = false;

  constructor() {
    process.on("SIGHUP", () => {
      if (this.#reload === null) this.#hasCome = true;
      else this.#reload();
    });
  }

  /**
   * Handles each hang-up from now on; and one immediately, if one was received before: what has changed since the
   * start is not known.
   */
  handle(reload: () => void): void {
    this.#reload = reload;
    if (this.#hasCome) reload();
  }
}
