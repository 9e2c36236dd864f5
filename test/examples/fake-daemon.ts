/** A small version 1 daemon for the examples' tests: it parses frames and lets a test handle each. */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { freePort } from "../support/free-port.js";

/** Handles one request: the complete frame, the socket to answer on, and its number on this daemon (from 1). */
export type Behaviour = (frame: Buffer, socket: Socket, number: number) => void;

export interface FakeDaemon extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
  /** The complete frames, in the order of arrival. */
  readonly frames: Buffer[];
  /** Number of connections accepted. */
  connections: number;
  /** Number of bytes that followed a frame in one segment, which the original rejects. */
  surplus: number;
}

/** Listens on a free port of `host`, which is `127.0.0.1` or `::1`. */
export async function fakeDaemon(behaviour: Behaviour, host = "127.0.0.1"): Promise<FakeDaemon> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    daemon.connections++;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    let input = Buffer.alloc(0);
    socket.on("data", (bytes) => {
      input = Buffer.concat([input, bytes]);
      const header = /^ds:(\d+):/.exec(input.toString("latin1", 0, 14));
      if (input.toString("latin1", 0, 4) === "ds2:") socket.end();
      if (header === null) return;
      const end = header[0].length + Number(header[1]);
      if (input.length < end) return;
      const frame = input.subarray(0, end);
      daemon.surplus += input.length - end;
      input = Buffer.alloc(0);
      daemon.frames.push(frame);
      behaviour(frame, socket, daemon.frames.length);
    });
  });
  const port = await freePort();
  server.listen(port, host);
  await once(server, "listening");
  const daemon: FakeDaemon = {
    address: host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`,
    port,
    frames: [],
    connections: 0,
    surplus: 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
  return daemon;
}

/** Returns a behaviour that answers with one value. */
export function answer(value: string): Behaviour {
  return (_frame, socket) => {
    socket.write(answerFrame(value));
  };
}

/** Answers that there is no value. */
export function miss(_frame: Buffer, socket: Socket): void {
  socket.write("ds:1:\0");
}

/** Reads the command and does not answer. */
export function silence(): void {}

/** Returns the bytes of an answer with one chunk. */
export function answerFrame(value: string): string {
  const bytes = Buffer.from(value);
  const chunk = `redis:${bytes.length + 1}:${value}\0`;
  return `ds:${Buffer.byteLength(chunk)}:${chunk}`;
}
