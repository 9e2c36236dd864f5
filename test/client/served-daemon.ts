/** Fake version 2 daemons on loopback, and their clients. */
import { createServer, type Server, type Socket } from "node:net";
import { openClientWith } from "../../client/dbsync-send.js";
import type { OutboxClient } from "../../client/outbox-client.js";
import { readSendOptions, type SendOptions } from "../../client/settings/client-settings.js";
import type { EnvelopeSigner } from "../../client/settings/signing-key.js";
import { type ClientEnvironment, realClientEnvironment } from "../../client/shared/client-environment.js";
import { listenAtFreePort } from "../support/free-port.js";
import { FakeDaemon } from "./fake-daemon-v2.js";
import type { FakeServer } from "./fake-server.js";
import type { HandClock } from "./hand-clock.js";
import { PATIENCE_MS } from "./test-client.js";

export class ServedDaemon implements AsyncDisposable {
  readonly daemon: FakeDaemon;
  /** Selects the answers that reach the client, or returns null to break the connection instead. */
  passes: (answers: Buffer[]) => Buffer[] | null = (answers) => answers;
  accepted = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;

  private constructor(daemon: FakeDaemon) {
    this.daemon = daemon;
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  }

  static async start(
    parts: Partial<ConstructorParameters<typeof FakeDaemon>[0]> = {},
  ): Promise<ServedDaemon> {
    const served = new ServedDaemon(new FakeDaemon({ id: 1, clock: Date.now, ...parts }));
    await listenAtFreePort(served.#server);
    served.#port = (served.#server.address() as { port: number }).port;
    return served;
  }

  get port(): number {
    return this.#port;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Returns the applied commands, one list per envelope. */
  get envelopes(): string[][] {
    return this.daemon.applied.map(({ envelope }) => envelope.commands.map((argv) => argv.join(" ")));
  }

  /** Ends every connection, like a restart of the daemon. */
  disconnect(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disconnect();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    const take = this.daemon.connection();
    this.accepted++;
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      const answers = this.passes(take(chunk));
      if (answers === null) socket.destroy();
      else for (const answer of answers) socket.write(answer);
    });
  }
}

export interface SignatureCount {
  count: number;
}

/**
 * Creates a client with a key that no daemon checks.
 * @param options  `wallOffset`: the error of this machine's clock, in milliseconds; `clock`: a clock that the test
 *   controls; `signAsync`: signs envelopes while others are in flight
 */
export function client2Of(
  servers: readonly (ServedDaemon | FakeServer | string)[],
  options: SendOptions & {
    signatures?: SignatureCount;
    wallOffset?: number;
    warn?: (warning: string) => void;
    clock?: HandClock;
    signAsync?: EnvelopeSigner["signAsync"];
    isSession?: boolean;
  } = {},
): OutboxClient {
  const { signatures = { count: 0 }, wallOffset = 0, warn, clock, isSession = false, ...others } = options;
  const { signAsync = () => Promise.resolve(sign()), ...rest } = others;
  const addresses = servers.map((server) => (typeof server === "string" ? server : server.address));
  const settings = readSendOptions({ key: false, timeout: PATIENCE_MS, ...rest, servers: addresses }, () => {
    throw new Error("no defaults in tests");
  });
  const sign = () => {
    signatures.count++;
    return Buffer.alloc(64, "s");
  };
  const signer: EnvelopeSigner = { keyId: "k".repeat(32), sign, signAsync };
  const real = clock?.environment ?? realClientEnvironment;
  const environment: ClientEnvironment = { ...real, wallClock: () => Date.now() + wallOffset };
  return openClientWith(settings, environment, { sign, signer }, { isSession, ...(warn ? { warn } : {}) });
}
