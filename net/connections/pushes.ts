/**
 * Sends what many connections receive in one turn, such as messages to subscribers, at the end of the turn.
 * Connections that receive the same share one string, which is joined and made flat once for all.
 */

/** The text that connections have received in this turn, and its continuation. */
export class PushedText {
  readonly text: string;
  #added = "";
  #next: PushedText | null = null;

  constructor(text: string) {
    this.text = text;
  }

  behind(added: string): PushedText {
    if (this.#next === null || this.#added !== added) {
      this.#next = new PushedText(this.text + added);
      this.#added = added;
    }
    return this.#next;
  }
}

export interface PushedTo {
  /** Sends what was pushed. */
  sendPushed(): void;
}

export class Pushes {
  #nothing = new PushedText("");
  #waiting: PushedTo[] = [];

  /** The empty text. */
  get nothing(): PushedText {
    return this.#nothing;
  }

  /** @param connection  that has something to send, once */
  add(connection: PushedTo): void {
    if (this.#waiting.length === 0) process.nextTick(this.#send);
    this.#waiting.push(connection);
  }

  readonly #send = (): void => {
    const all = this.#waiting;
    this.#waiting = [];
    this.#nothing = new PushedText("");
    for (const connection of all) connection.sendPushed();
  };
}
