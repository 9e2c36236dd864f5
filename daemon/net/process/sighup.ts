/**
 * Handles SIGHUP, which makes a daemon read its configuration again. The program creates the handler before it loads
 * other code, because an unhandled SIGHUP ends the process.
 */
export class SighupHandler {
  #reload: (() => Promise<void>) | null = null;
  /** Whether a signal has been received since the last reload began. */
  #isPending = false;
  #isReloading = false;

  constructor() {
    process.on("SIGHUP", () => {
      this.#isPending = true;
      void this.#reloadIfPending();
    });
  }

  /**
   * Sets the function that reloads, and calls it if a signal was received earlier, because the configuration may have
   * changed since the start. Of two reloads that ran at the same time, the one that had read the earlier files could
   * end last. So each begins after the one before, and one answers all signals that were received in the meantime.
   * @param reload  never rejects
   */
  handle(reload: () => Promise<void>): void {
    this.#reload = reload;
    void this.#reloadIfPending();
  }

  async #reloadIfPending(): Promise<void> {
    if (this.#reload === null || this.#isReloading) return;
    this.#isReloading = true;
    while (this.#isPending) {
      this.#isPending = false;
      await this.#reload();
    }
    this.#isReloading = false;
  }
}
