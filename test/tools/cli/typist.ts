/** A terminal on which a test types. */
import { PassThrough } from "node:stream";
import { inTime } from "../../support/until.js";

export class Typist {
  readonly input = new PassThrough();
  readonly output = new PassThrough();
  #shown = "";
  #changed = () => {};

  constructor() {
    this.output.setEncoding("utf8").on("data", (piece: string) => {
      this.#shown += piece;
      this.#changed();
    });
  }

  /** Types, and waits until all awaited texts have appeared in order. @returns the new output */
  async types(text: string, ...awaited: readonly string[]): Promise<string> {
    this.#shown = "";
    this.input.write(text);
    const isShown = () => {
      let at = 0;
      return awaited.every((each) => {
        const found = this.#shown.indexOf(each, at);
        at = found + each.length;
        return found >= 0;
      });
    };
    while (!isShown())
      await inTime(
        () => `the program does not show ${awaited.join(" … ")}: ${this.#shown}`,
        new Promise<void>((resolve) => (this.#changed = resolve)),
      );
    return this.#shown;
  }
}
