/** A client of the JSON listener. It sends one request per line and receives one answer per line. */
import { RawClient } from "./raw-client.js";

export type JsonAnswer = Readonly<Record<string, unknown>>;

export class JsonLine implements Disposable {
  readonly #raw: RawClient;

  private constructor(raw: RawClient) {
    this.#raw = raw;
  }

  static async open(port: number): Promise<JsonLine> {
    return new JsonLine(await RawClient.open(port));
  }

  /** Sends one line. @throws Error if the connection is closed without an answer */
  async ask(request: Readonly<Record<string, unknown>> | string): Promise<JsonAnswer> {
    const text = typeof request === "string" ? request : JSON.stringify(request);
    this.#raw.send(`${Buffer.from(text).toString("latin1")}\n`);
    const line = await this.#raw.readTo("\n");
    if (line.trim() === "") throw new Error(`the connection was closed without an answer to ${text}`);
    return JSON.parse(Buffer.from(line, "latin1").toString()) as JsonAnswer;
  }

  /** Sends one line. @returns the text of its answer */
  async text(request: string): Promise<string> {
    this.#raw.send(`${Buffer.from(request).toString("latin1")}\n`);
    return (await this.#raw.readTo("\n")).trim();
  }

  [Symbol.dispose](): void {
    this.#raw[Symbol.dispose]();
  }
}
