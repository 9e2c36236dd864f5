/** The daemons of a cluster as a backend: each command goes out signed to all of them. For version 1, and the life of it all. */
import type { Carrier } from "../../client/carrier.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { error } from "../../protocol/reply.js";
import { DATABASES_DEFAULT } from "../../store/database.js";
import type { Unit } from "../../store/keyspace/unit.js";
import type { Backend, BackendFailure, Outcome } from "../backends/backend.js";
import { isolationOf } from "../backends/isolation.js";
import { outcomeOf } from "./failure-replies.js";

/** Why a command that Redis would run on a connection of its own is not carried. */
const ALONE = "it is about a connection, or waits, and what is signed is applied once, at its date";

export class SigningBackend implements Backend {
  readonly name: string;
  readonly databases = DATABASES_DEFAULT;
  readonly carrier: Carrier;

  constructor(name: string, carrier: Carrier) {
    this.name = name;
    this.carrier = carrier;
  }

  /** Connections are made with the first command: daemons may come up later. */
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
      return Promise.resolve(error(`ERR ${refused[0]} is not carried by a transaction`));
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

/** Beyond it a daemon would refuse what is signed as too old. */
const TIMEOUT_MOST_MS = 20_000;

/** Of --backend-timeout, as much as a signed command may take. */
export function boundedTimeout(timeout: number): number {
  return Math.min(timeout, TIMEOUT_MOST_MS);
}
