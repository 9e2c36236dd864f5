/** A relay between a client and its daemon that records the traffic, and closes or delays connections. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";
import { listenAtFreePort } from "../../support/free-port.js";

/** Decides whether the relay forwards a chunk from a client or closes the connection. */
export type Decide = (chunk: Buffer, connection: number) => "pass" | "close" | Promise<"pass" | "close">;

export class Relay implements AsyncDisposable {
  /** The bytes that clients have sent, by connection. */
  readonly recorded: Buffer[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: number, decide: Decide) {
    this.#server = createServer((client) => this.#serve(client, target, decide));
  }

  static async start(target: number, decide: Decide = () => "pass"): Promise<Relay> {
    const relay = new Relay(target, decide);
    await listenAtFreePort(relay.#server);
    return relay;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The beginnings of the recorded version 1 requests, which an attacker could replay at any time. */
  get replayable(): string[] {
    const texts = this.recorded.map((bytes) => bytes.toString("latin1"));
    return texts.filter((text) => text.startsWith("ds:")).map((text) => text.replace(/\0.*/s, ""));
  }

  #serve(client: Socket, target: number, decide: Decide): void {
    const daemon = connect({ port: target, host: "127.0.0.1", noDelay: true });
    const number = this.recorded.push(Buffer.alloc(0)) - 1;

    for (const socket of [client, daemon]) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        client.destroy();
        daemon.destroy();
      });
    }
    daemon.on("data", (chunk) => void client.write(chunk));
    let turn = Promise.resolve();
    client.on("data", (chunk: Buffer) => {
      this.recorded[number] = Buffer.concat([this.recorded[number] as Buffer, chunk]);
      turn = turn.then(async () => {
        if ((await decide(chunk, number)) === "pass") daemon.write(chunk);
        else client.destroy();
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
