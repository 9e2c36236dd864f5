/** A client of the SQL line protocol that treats frames as bytes: one statement, one answer. */
import { bytesOfText } from "../../protocol/byte-string.js";
import { RawClient } from "./raw-client.js";

export class SqlLineClient implements Disposable {
  readonly raw: RawClient;

  private constructor(raw: RawClient) {
    this.raw = raw;
  }

  static async open(port: number): Promise<SqlLineClient> {
    return new SqlLineClient(await RawClient.open(port));
  }

  /**
   * Sends a statement.
   * @param statement  with or without its `;`
   * @returns the frame, or its beginning if the server closes the connection before the end
   */
  async ask(statement: string): Promise<string> {
    this.raw.send(bytesOfText(statement.endsWith(";") ? statement : `${statement};`));
    let answer = "";
    while (!answer.endsWith("\nEND\n")) {
      const more = await this.raw.read(1);
      if (more === "") return answer;
      answer += more + (await this.raw.read(this.raw.received.length));
    }
    return answer;
  }

  /** Returns the text of an answer that is a message. */
  async told(statement: string): Promise<string> {
    return (await this.ask(statement)).replace(/^RESULT_MESSAGE\n|\nEND\n$/g, "");
  }

  [Symbol.dispose](): void {
    this.raw[Symbol.dispose]();
  }
}
