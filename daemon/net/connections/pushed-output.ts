/**
 * Sends pushed bytes, such as messages to many subscribers, at the end of each turn. Connections that receive the same
 * bytes share one string, which is therefore concatenated and flattened only once.
 */

/**
 * A text that one or more connections receive in this turn. `followedBy` returns the text followed by further bytes,
 * and returns the same object to all connections that add the same bytes.
 */
export class PushedText {
  readonly text: string;
  #added = "";
  #next: PushedText | null = null;

  constructor(text: string) {
    this.text = text;
  }

  followedBy(added: string): PushedText {
    if (this.#next === null || this.#added !== added) {
      this.#next = new PushedText(this.text + added);
      this.#added = added;
    }
    return this.#next;
  }
}

export interface PushedTo {
  /** Sends the pushed bytes. */
  sendPushed(): void;
}

export class PushedOutput {
  #nothing = new PushedText("");
  #waiting: PushedTo[] = [];

  /** The empty text. */
  get nothing(): PushedText {
    return this.#nothing;
  }

  /** Adds a connection with pushed bytes. It must be added only once per turn. */
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
