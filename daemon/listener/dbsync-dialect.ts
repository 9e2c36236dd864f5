/** The dialect of versions 1 and 2: frames in, frames out. A session for each version processes their payloads. */
import { Socket } from "node:net";
import { FrameQueue } from "../../protocol/frame-queue.js";
import type { ClientConnection } from "../net/connections/client-connection.js";
import type { ClientSocket } from "../net/connections/client-socket.js";
import { type ClientDoing, type Closing, closing, Dialect, type Served } from "../net/connections/dialect.js";
import { type ForeignClient, foreignClient } from "../net/connections/foreign-client.js";
import type { DbsyncServer } from "./dbsync-server.js";
import type { Session } from "./dbsync-session.js";
import { SessionV1 } from "./session-v1.js";
import { SessionV2 } from "./session-v2.js";

export class DbsyncDialect extends Dialect<Buffer> {
  /** Answers of version 2 are sent as soon as they are ready; version 1 has only one request at a time. */
  override readonly isInOrder = false;
  isClosing = false;
  protected readonly parser: FrameQueue;
  readonly #server: DbsyncServer;
  readonly #connection: ClientConnection<Buffer>;
  #session: Session | null = null;

  constructor(server: DbsyncServer, connection: ClientConnection<Buffer>) {
    super();
    this.#server = server;
    this.#connection = connection;
    this.parser = new FrameQueue(server.host.limits.maxRequestBytes, server.version);
  }

  get listener(): string {
    return this.#session?.listener ?? "dbsync";
  }

  get isProven(): boolean {
    return this.#session?.isProven ?? false;
  }

  override foreignClient(chunk: Buffer): ForeignClient | null {
    return foreignClient(chunk, "dbsync");
  }

  /**
   * Adds received bytes. A complete frame must arrive within --idle-timeout, regardless of the number of its pieces.
   */
  override push(chunk: Buffer): boolean {
    return this.parser.push(chunk);
  }

  override accepts(pending: number): boolean {
    // Either version serves a request if no other request is pending.
    return pending === 0 || this.#session === null || this.#session.takes(pending);
  }

  override get heldBytes(): number {
    return this.parser.heldBytes + (this.#session?.heldBytes ?? 0);
  }

  override get doing(): ClientDoing {
    return this.#session?.doing ?? super.doing;
  }

  override disconnected(): void {
    this.#session?.disconnected?.();
  }

  bytesOf({ length }: Buffer): number {
    return length;
  }

  serve(payload: Buffer): Served {
    const session = this.#sessionOf();
    const served = session.serve(payload);
    this.isClosing = session.closeAfterAnswer;
    if (typeof served === "string" || served instanceof Promise || served.kind === "closing") return served;
    const { hello } = served;
    const otherwise = closing("malformed", "bytes followed a daemon's hello");
    const take = (socket: ClientSocket) => {
      if (socket instanceof Socket) this.#server.service.members?.(socket, hello);
    };
    return { kind: "hand-over", take, otherwise };
  }

  problem(isEnded: boolean): Closing | null {
    const { malformed } = this.parser;
    if (malformed !== null)
      return { ...this.#sessionOf().malformed(malformed.message), offset: malformed.offset };
    return isEnded && this.parser.isMidRequest
      ? closing("frame-unfinished", "the client ended its stream")
      : null;
  }

  /** The time after which a silent client is disconnected. php-dbsync's daemon has the same limit. */
  get silenceMaxMs(): number {
    return this.#server.host.limits.idleTimeout;
  }

  /** Returns the session for the version that the first frame has selected. */
  #sessionOf(): Session {
    this.#session ??=
      this.parser.version === 2 ? new SessionV2(this.#server, this.#connection) : new SessionV1(this.#server);
    return this.#session;
  }
}
