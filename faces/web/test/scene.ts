/** Starts a daemon with --ws in the test process, and clients of the package ws. */
import "../../../test/support/all-families.js";
import { once } from "node:events";
import { connect } from "node:net";
import { type ClientOptions, WebSocket } from "ws";
import { MemoryBackend } from "../../../daemon/engine/backends/memory-backend.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import {
  type InProcessDaemon,
  type InProcessOptions,
  startInProcess,
} from "../../../test/daemon/program/in-process.js";
import {
  EnvelopeClient,
  type KeyPair,
  type Line,
  makeKeyPair,
} from "../../../test/support/envelope-client.js";
import { inTime } from "../../../test/support/until.js";
import { openWs } from "./open-ws.js";

export const pair: KeyPair = makeKeyPair();

export function startWs(options: Partial<InProcessOptions> = {}): Promise<InProcessDaemon> {
  const backends = [new MemoryBackend(options.environment ?? realEnvironment)];
  return startInProcess({ backends, keys: [pair.file], ws: openWs(), ...options });
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** Returns an open socket. */
export async function openSocket(port: number, options: ClientOptions = {}): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, "dbsync2", options);
  socket.on("error", () => {});
  await once(socket, "open");
  return socket;
}

/** Returns the HTTP status of an upgrade request. The status 101 means that the upgrade was accepted. */
export async function statusOf(port: number, headers: Readonly<Record<string, string>>): Promise<number> {
  const raw = connect(port, "127.0.0.1");
  const usual = { host: `127.0.0.1:${port}`, connection: "Upgrade", upgrade: "websocket" };
  const key = { "sec-websocket-version": "13", "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==" };
  const lines = Object.entries({ ...usual, ...key, ...headers }).map(([name, value]) => `${name}: ${value}`);
  raw.write(["GET / HTTP/1.1", ...lines, "", ""].join("\r\n"));
  const [head] = (await once(raw, "data")) as [Buffer];
  raw.destroy();
  return Number(head.toString("latin1").split(" ")[1]);
}

export async function closedOf(socket: WebSocket): Promise<Closed> {
  const [code, reason] = (await once(socket, "close")) as [number, Buffer];
  return { code, reason: reason.toString() };
}

/** Opens a client of envelopes that sends each frame as a message. */
export async function openClient(
  port: number,
  options: ClientOptions = {},
): Promise<EnvelopeClient<MessageLine>> {
  const socket = await openSocket(port, options);
  return EnvelopeClient.over(new MessageLine(socket), pair);
}

/** A `Line` that sends and receives its bytes in WebSocket messages. */
export class MessageLine implements Line {
  received = "";
  readonly socket: WebSocket;
  #woken = () => {};

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data: Buffer) => {
      this.received += data.toString("latin1");
      this.#woken();
    });
    socket.on("close", () => this.#woken());
  }

  send(bytes: string): void {
    this.socket.send(Buffer.from(bytes, "latin1"));
  }

  /** Waits for data, and returns all data that has arrived, or "" if the connection is closed. */
  async read(_least: number): Promise<string> {
    while (this.received === "" && this.socket.readyState !== WebSocket.CLOSED)
      await inTime(() => "no data arrives", new Promise<void>((resolve) => (this.#woken = resolve)));
    const { received } = this;
    this.received = "";
    return received;
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }
}
