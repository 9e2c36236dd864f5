/** A server of the SQL line protocol on loopback whose answers the test chooses. */
import { createServer, type Server, type Socket } from "node:net";
import { messageFrame } from "../../../faces/sql/bytes/sql-frames.js";
import { SqlLineParser } from "../../../faces/sql/bytes/sql-lines.js";
import { freePort } from "../../support/free-port.js";

/** A statement, and the number of its connection, starting at 1. */
export interface Asked {
  readonly statement: string;
  readonly connection: number;
  readonly socket: Socket;
}

/** @returns the bytes to write, or null to write nothing */
export type Answering = (asked: Asked) => string | null | Promise<string | null>;

/** Returns a relation of one value. */
export const pageOf = (value: string): string =>
  `RELATION_JSON_PAGE 1/1\n{"type":"relation","name":"t","page":1,"totalPages":1,"columns":[{"name":"x","origin":null}],"rows":[["${value}"]]}\nRELATION_JSON_END\nRESULT_MESSAGE\nOK\nEND\n`;

export class FakeSqlServer implements AsyncDisposable {
  answering: Answering;
  /** Statements in the order of arrival, without heartbeats. */
  readonly asked: Asked[] = [];
  readonly sockets = new Set<Socket>();
  /** Called for each connection. */
  welcome: (socket: Socket) => void = () => {};
  #accepted = 0;
  #server: Server | null = null;
  #port = 0;

  private constructor(answering: Answering) {
    this.answering = answering;
  }

  static async start(answering: Answering = () => messageFrame("done")): Promise<FakeSqlServer> {
    const fake = new FakeSqlServer(answering);
    await fake.start();
    return fake;
  }

  get port(): number {
    return this.#port;
  }

  get accepted(): number {
    return this.#accepted;
  }

  get statements(): string[] {
    return this.asked.map(({ statement }) => statement);
  }

  /**
   * Starts on its previous port if it was stopped. That is not an ephemeral port of the system, which another process
   * could receive in the meantime.
   */
  async start(): Promise<void> {
    if (this.#port === 0) this.#port = await freePort();
    const server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
  }

  /** Closes all connections. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const socket of this.sockets) socket.destroy();
    if (server !== null) await new Promise((resolve) => server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #serve(socket: Socket): void {
    const connection = ++this.#accepted;
    const parser = new SqlLineParser(1 << 26);
    this.sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.sockets.delete(socket));
    this.welcome(socket);
    socket.on("data", async (chunk: Buffer) => {
      parser.push(chunk);
      for (let statement = parser.next(); statement !== null; statement = parser.next()) {
        const asked = { statement, connection, socket };
        if (statement !== HEARTBEAT) this.asked.push(asked);
        const answer = await this.answering(asked);
        if (answer !== null && !socket.destroyed) socket.write(answer, "latin1");
      }
    });
  }
}

/** The statement by which proxies check whether a server is alive. */
export const HEARTBEAT = "alaivo 1";
