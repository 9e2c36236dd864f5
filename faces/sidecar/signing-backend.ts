/**
 * A backend for version 1 that signs each command and sends it to all daemons of a cluster. It also owns the client
 * (`carrier`) that sends them.
 */
import type { ForwardingClient } from "../../client/forwarding-client.js";
import type { Backend, BackendFailure, Outcome } from "../../daemon/engine/backends/backend.js";
import { isolationOf } from "../../daemon/engine/backends/connection-isolation.js";
import { DATABASES_DEFAULT } from "../../daemon/store/database.js";
import type { Unit } from "../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { error } from "../../protocol/reply.js";
import { outcomeOf } from "./failure-replies.js";

/** The reason why commands that need their own connection are refused. */
const ALONE = "it changes a connection or waits, but a signed command is applied once, at its date";

export class SigningBackend implements Backend {
  readonly name: string;
  readonly databases = DATABASES_DEFAULT;
  readonly carrier: ForwardingClient;

  constructor(name: string, carrier: ForwardingClient) {
    this.name = name;
    this.carrier = carrier;
  }

  /** Does nothing: the first command opens the connections, because daemons may come up later. */
  async start(): Promise<void> {}

  stop(): Promise<void> {
    return this.carrier.close();
  }

  get up(): boolean {
    return this.carrier.isReachable;
  }

  get timeout(): number {
    return this.carrier.timeout;
  }

  set timeout(timeout: number) {
    this.carrier.timeout = boundedTimeout(timeout);
  }

  execute(argv: readonly ByteString[], { db }: Unit): Promise<Outcome> {
    const refusal = this.#refusal(argv);
    if (refusal !== null) return Promise.resolve(refusal);
    return new Promise((resolve) =>
      this.carrier.send(argv, { db, isStable: false }, this.#carrying(resolve)),
    );
  }

  executeTogether(commands: readonly (readonly ByteString[])[], { db }: Unit): Promise<Outcome> {
    const refused = commands.find((argv) => this.#refusal(argv) !== null);
    if (refused !== undefined)
      return Promise.resolve(error(`ERR ${refused[0]} is not supported in a transaction`));
    return new Promise((resolve) =>
      this.carrier.sendTogether(commands, [], { db, isStable: false }, this.#carrying(resolve)),
    );
  }

  #carrying(resolve: (outcome: Outcome) => void) {
    return { resolve, reject: (problem: Error) => resolve(outcomeOf(problem)) };
  }

  #refusal(argv: readonly ByteString[]): BackendFailure | null {
    const name = (argv[0] as ByteString).toUpperCase();
    const isolation = isolationOf(name, argv);
    if (isolation.kind === "shared") return null;
    const detail = `${name}: ${isolation.kind === "none" ? isolation.reason : ALONE}`;
    return { kind: "failed", code: "not-carried", detail: `${this.name}: ${detail}`, effect: "not-applied" };
  }
}

/** The longest timeout in milliseconds. Daemons would refuse an envelope that is older. */
const TIMEOUT_MS_MAX = 20_000;

/** Returns --backend-timeout, limited to the maximum for a signed command. */
export function boundedTimeout(timeout: number): number {
  return Math.min(timeout, TIMEOUT_MS_MAX);
}
