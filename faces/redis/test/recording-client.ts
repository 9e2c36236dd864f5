/** A client that records everything it receives. */
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { RawClient } from "../../../test/support/raw-client.js";

const bulkOf = (text: string) => `$${text.length}\r\n${text}\r\n`;

export class RecordingClient implements Disposable {
  readonly #client: RawClient;
  received = "";
  #marks = 0;

  private constructor(client: RawClient) {
    this.#client = client;
  }

  static async open(port: number): Promise<RecordingClient> {
    return new RecordingClient(await RawClient.open(port));
  }

  /** Sends bytes, and waits until the server has answered them. */
  async send(bytes: string): Promise<void> {
    const mark = `mark ${this.#marks++}`;
    this.#client.send(bytes + writeCommand(["PING", mark]));
    let latest = "";
    while (!latest.endsWith(bulkOf(mark))) {
      const more = await this.#client.read(1);
      if (more === "") throw new Error(`closed after ${JSON.stringify(this.received + latest)}`);
      latest += more;
    }
    this.received += latest;
  }

  /** Returns everything that was received up to now, after pending messages have arrived. */
  async receivedSoFar(): Promise<string> {
    await this.send("");
    return this.received;
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}
