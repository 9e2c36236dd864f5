/** A small version 1 daemon for the tests of the examples. It parses frames, and the test handles each of them. */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { freePort } from "./free-port.js";

/**
 * Handles one request: the complete frame, the socket for the answer, and the number of the request on this daemon
 * (from 1).
 */
export type Behaviour = (frame: Buffer, socket: Socket, number: number) => void;

export interface FakeDaemon extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
  /** The complete frames in the order of their arrival. */
  readonly frames: Buffer[];
  /** The number of accepted connections. */
  connections: number;
  /** The number of bytes that followed a frame in the same segment. The original rejects such bytes. */
  surplus: number;
}

/** Starts a daemon on a free port. @param host  `127.0.0.1` or `::1` */
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

/** Returns a behaviour that answers every command with the same value. */
export function answer(value: string): Behaviour {
  return (_frame, socket) => {
    socket.write(answerFrame(value));
  };
}

/** Answers that the value does not exist. */
export function miss(_frame: Buffer, socket: Socket): void {
  socket.write("ds:1:\0");
}

/** Reads a command and does not answer. */
export function silence(): void {}

/** Returns the bytes of an answer with one chunk. */
export function answerFrame(value: string): string {
  const bytes = Buffer.from(value);
  const chunk = `redis:${bytes.length + 1}:${value}\0`;
  return `ds:${Buffer.byteLength(chunk)}:${chunk}`;
}
