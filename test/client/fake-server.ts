/** Version 1 servers in this process, on loopback, with correct or faulty behaviour. */
import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { FrameParser } from "../../protocol/frame.js";
import { writeCommandFrame } from "../../protocol/version-1/command-v1.js";
import { writeResponseFrame } from "../../protocol/version-1/response-v1.js";
import { freePort } from "../support/free-port.js";

type Handler = (socket: Socket, server: FakeServer) => void | Promise<void>;

type Value = string | (() => string);

const frame = (value: Value) =>
  Buffer.from(writeResponseFrame([typeof value === "string" ? value : value()]), "latin1");

/** The behaviours of a server for a request. `answer` sends its `value`. */
const BEHAVIOURS = {
  answer: (socket, server) => void socket.write(frame(server.value)),
  nil: (socket) => void socket.write("ds:1:\0"),
  hang: () => {},
  "answer late": (socket, server) => pause(server.lateMs).then(() => void socket.write(frame(server.value))),
  "close on request": (socket) => void socket.end(),
  "reset on request": (socket) => void socket.resetAndDestroy(),
  "close in mid-frame": (socket) => void socket.end("ds:13:redis:5:PO"),
  garbage: (socket) => void socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"),
  "garbage in a frame": (socket) => void socket.write("ds:5:hello"),
  "huge length": (socket) => void socket.write("ds:9999999999:redis:"),
  "answer and close": (socket, server) => void socket.end(frame(server.value)),
  "two answers": (socket, server) => void socket.write(Buffer.concat([frame(server.value), frame("second")])),
  "byte by byte": async (socket, server) => {
    for (const byte of frame(server.value)) {
      socket.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
  },
} as const satisfies Record<string, Handler>;

export type Behaviour = keyof typeof BEHAVIOURS;

export class FakeServer implements AsyncDisposable {
  behaviour: Behaviour;
  /** The answer, or a function that returns one for each request. */
  value: Value = "OK";
  lateMs = 100;
  /** Handles a hello of version 2. Like the original, it closes the connection without an answer. */
  hello: (socket: Socket) => void = (socket) => void socket.end();
  /** The complete request payloads, in the order of completion. */
  readonly requests: Buffer[] = [];
  /** The number of accepted connections; `sockets` contains the open ones. */
  accepted = 0;
  readonly sockets = new Set<Socket>();
  readonly #server: Server;
  #port = 0;

  private constructor(behaviour: Behaviour) {
    this.behaviour = behaviour;
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  }

  static async start(behaviour: Behaviour = "answer", at?: number): Promise<FakeServer> {
    const fake = new FakeServer(behaviour);
    const port = at ?? (await freePort());
    await new Promise<void>((resolve) => fake.#server.listen(port, "127.0.0.1", resolve));
    fake.#port = port;
    return fake;
  }

  get port(): number {
    return this.#port;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Returns the texts of unsigned requests, without the NUL. */
  get commands(): string[] {
    return this.requests.map((request) => request.toString("latin1").replace(/\0$/, ""));
  }

  /** Returns the bytes of the requests on the wire. */
  get frames(): string[] {
    return this.requests.map((request) => writeCommandFrame(request.toString("latin1"), null));
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #serve(socket: Socket): void {
    const parser = new FrameParser(1 << 26);
    this.accepted++;
    this.sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.sockets.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      const payloads = parser.split(chunk);
      if (parser.version === 2) {
        this.hello(socket);
        return;
      }
      for (const payload of payloads) {
        this.requests.push(payload);
        const handler: Handler = BEHAVIOURS[this.behaviour];
        void handler(socket, this);
      }
    });
  }
}
