/**
 * The handler of SIGHUP, which makes a daemon read its configuration again. The program creates it before it loads
 * other code, because an unhandled SIGHUP ends the process.
 */
import { setImmediate as nextTurn } from "node:timers/promises";

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
   * Sets the function that reloads the configuration. Calls it immediately if a signal was received earlier, because
   * the files may have changed since the daemon read them. Only one reload runs at a time; otherwise one that read
   * older files could end last. All signals that arrive until a reload begins cause only that reload.
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
      // Node passes on all signals of a turn, and those that arrive meanwhile, before anything else. A reload between
      // them would let frequent signals keep the daemon from serving.
      await nextTurn();
      this.#isPending = false;
      await this.#reload();
    }
    this.#isReloading = false;
  }
}
