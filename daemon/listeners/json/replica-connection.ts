/** A connection to a server of the original's kind: one request at a time, and its answer. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { parseJson } from "../../../protocol/json-reader.js";
import { JsonObject } from "../../../protocol/json-value.js";
import { ANSWER_END } from "./answers.js";

export interface ReplicaPlace {
  readonly host: string;
  readonly port: number;
}

export interface ReplicaBounds {
  /** Milliseconds: a server that says nothing for so long is given up. */
  readonly silenceMs: number;
  /** Of an answer. */
  readonly maxBytes: number;
}

/** It may be reached, and says nothing. */
export class SilentReplica extends Error {}

export class ReplicaConnection {
  readonly #socket: Socket;
  readonly #bounds: ReplicaBounds;

  private constructor(socket: Socket, bounds: ReplicaBounds) {
    this.#socket = socket;
    this.#bounds = bounds;
  }

  /** @throws Error  nobody listens there */
  static async open({ host, port }: ReplicaPlace, bounds: ReplicaBounds): Promise<ReplicaConnection> {
    const { silenceMs } = bounds;
    const socket = connect({ host, port, noDelay: true }).setEncoding("latin1");
    socket.setTimeout(silenceMs, () => socket.destroy(new SilentReplica(`no answer for ${silenceMs} ms`)));
    // Told by whoever reads or writes next.
    socket.on("error", () => {});
    await once(socket, "connect");
    return new ReplicaConnection(socket, bounds);
  }

  /** @throws Error  the connection, or an answer that is no object */
  async ask(request: string): Promise<JsonObject> {
    const socket = this.#socket;
    const { silenceMs, maxBytes } = this.#bounds;
    socket.setTimeout(silenceMs);
    socket.write(`${request}\n`);
    const pieces: string[] = [];
    let bytes = 0;
    let end = "";
    for await (const piece of socket.iterator({ destroyOnReturn: false })) {
      pieces.push(piece as string);
      bytes += (piece as string).length;
      if (bytes > maxBytes) throw new Error(`an answer is longer than ${maxBytes} bytes`);
      end = (end + piece).slice(-ANSWER_END.length);
      if (end !== ANSWER_END) continue;
      socket.setTimeout(0);
      // The original writes ASCII.
      const answer = parseJson(pieces.join("").slice(0, -ANSWER_END.length));
      if (answer instanceof JsonObject) return answer;
      throw new Error("an answer is no object");
    }
    throw new Error("it closed the connection");
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
