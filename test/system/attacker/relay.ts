/**
 * A relay between a client and its daemon that records the traffic, closes or delays connections, and answers in place
 * of the daemon.
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";
import { listenAtFreePort } from "../../support/free-port.js";
import { type Message, MessageReader } from "./wire.js";

/** Decides whether the relay forwards a chunk from a client or closes the connection. */
export type Decide = (chunk: Buffer, connection: number) => "pass" | "close" | Promise<"pass" | "close">;

/** Returns the frame to send in place of a daemon's message, or null to send the daemon's own. */
export type Alter = (message: Message) => Buffer | null;

const UNALTERED: Alter = () => null;

export class Relay implements AsyncDisposable {
  /** The bytes that clients have sent, by connection. */
  readonly recorded: Buffer[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: number, decide: Decide, alter: Alter) {
    this.#server = createServer((client) => this.#serve(client, target, decide, alter));
  }

  static async start(
    target: number,
    decide: Decide = () => "pass",
    alter: Alter = UNALTERED,
  ): Promise<Relay> {
    const relay = new Relay(target, decide, alter);
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

  #serve(client: Socket, target: number, decide: Decide, alter: Alter): void {
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

    const reader = new MessageReader();
    daemon.on("data", (chunk: Buffer) => {
      if (alter === UNALTERED) client.write(chunk);
      else for (const { message, bytes } of reader.split(chunk)) client.write(alter(message) ?? bytes);
    });

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
