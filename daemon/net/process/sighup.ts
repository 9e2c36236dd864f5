/**
 * Handles SIGHUP, which makes a daemon read its configuration again. The program creates the handler before it loads
 * other code, because an unhandled SIGHUP ends the process.
 */
export class SighupHandler {
  #reload: (() => void) | null = null;
  #isPending = false;

  constructor() {
    process.on("SIGHUP", () => {
      if (this.#reload === null) this.#isPending = true;
      else this.#reload();
    });
  }

  /**
   * Calls `reload` for each signal from now on. Calls it immediately if a signal was received earlier, because the
   * configuration may have changed since the start.
   */
  handle(reload: () => void): void {
    this.#reload = reload;
    if (this.#isPending) reload();
  }
}
