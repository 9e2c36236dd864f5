/** A client, with all that it has received. */
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { RawClient } from "../../support/raw-client.js";

const bulkOf = (text: string) => `$${text.length}\r\n${text}\r\n`;

export class ToldClient implements Disposable {
  readonly #client: RawClient;
  told = "";
  #marks = 0;

  private constructor(client: RawClient) {
    this.#client = client;
  }

  static async open(port: number): Promise<ToldClient> {
    return new ToldClient(await RawClient.open(port));
  }

  get ended(): boolean {
    return this.#client.ended;
  }

  /** Sends bytes, and waits until they are answered. */
  async say(bytes: string): Promise<void> {
    const mark = `mark ${this.#marks++}`;
    this.#client.send(bytes + writeCommand(["PING", mark]));
    let come = "";
    while (!come.endsWith(bulkOf(mark))) {
      const more = await this.#client.read(1);
      if (more === "") throw new Error(`closed behind ${JSON.stringify(this.told + come)}`);
      come += more;
    }
    this.told += come;
  }

  /** Returns what it has received up to now, after pending messages have arrived. */
  async hear(): Promise<string> {
    await this.say("");
    return this.told;
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}
