/**
 * A backend for version 1 that signs each command and sends it to all daemons of a cluster. It also owns the client
 * (`carrier`) that sends them. The client is made from the daemon's options at the start, so that wrong or missing
 * options are reported before any command is sent.
 */

import type { Logger } from "pino";
import { ForwardingClient, repliedError } from "../../client/forwarding-client.js";
import { DbsyncError, type SendOptions } from "../../client/public-api.js";
import type { Backend, BackendFailure, BackendOutcome } from "../../daemon/engine/backends/backend.js";
import { isolationOf } from "../../daemon/engine/backends/connection-isolation.js";
import { StartError } from "../../daemon/net/process/service.js";
import type { SidecarSpecification } from "../../daemon/options/database-list.js";
import type { Settings } from "../../daemon/options/settings.js";
import { DATABASES_DEFAULT } from "../../daemon/store/database.js";
import type { Unit } from "../../daemon/store/keyspace/unit.js";
import { type ByteString, bytesOfText } from "../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../protocol/reply.js";

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

  execute(argv: readonly ByteString[], { db }: Unit): Promise<BackendOutcome> {
    const refusal = this.#refusal(argv);
    if (refusal !== null) return Promise.resolve(refusal);
    return new Promise((resolve) =>
      this.carrier.send(argv, { db, isStable: false }, this.#carrying(resolve)),
    );
  }

  executeTogether(commands: readonly (readonly ByteString[])[], { db }: Unit): Promise<BackendOutcome> {
    const refused = commands.find((argv) => this.#refusal(argv) !== null);
    if (refused !== undefined)
      return Promise.resolve(error(`ERR ${refused[0]} is not supported in a transaction`));
    return new Promise((resolve) =>
      this.carrier.sendTogether(commands, [], { db, isStable: false }, this.#carrying(resolve)),
    );
  }

  #carrying(resolve: (outcome: BackendOutcome) => void) {
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
function boundedTimeout(timeout: number): number {
  return Math.min(timeout, TIMEOUT_MS_MAX);
}

/**
 * Returns the error that a client of --resp or --json receives if a command succeeded on no daemon. If a daemon
 * returned an error, the client receives that error. Otherwise the error states whether the command was certainly not
 * applied (NOTAPPLIED) or may have been applied (MAYBEAPPLIED), and the reason of each daemon.
 */
export function errorReplyOf(problem: Error): ErrorReply {
  return (
    repliedError(problem) ??
    error(`${effectOf(problem) === "unknown" ? "MAYBEAPPLIED" : "NOTAPPLIED"} ${line(problem)}`)
  );
}

/** Returns the outcome for version 1. A reply of version 1 cannot contain the reason, which is logged instead. */
function outcomeOf(problem: Error): ErrorReply | BackendFailure {
  const effect = effectOf(problem);
  const code = effect === "unknown" ? "database-lost" : "database-down";
  return repliedError(problem) ?? { kind: "failed", code, detail: line(problem), effect };
}

function effectOf(problem: Error): BackendFailure["effect"] {
  return problem instanceof DbsyncError ? problem.effect : "unknown";
}

/** Returns the message as a single line, because errors in RESP cannot contain line breaks. */
function line({ message }: Error): string {
  return bytesOfText(message.replace(/:\n\s*/, ": ").replace(/\n\s*/g, " | "));
}

/** The daemon's flags by the client library's option names. */
const FLAGS: Readonly<Record<string, string>> = {
  servers: "-d dbsync",
  policy: "--policy",
  cluster: "--cluster",
  ca: "--ca",
};

/** Creates the client library's client. @throws StartError  the list of servers or the key cannot be used */
export function openForwardingClient(
  { servers }: SidecarSpecification,
  settings: Settings,
  log: Logger,
): ForwardingClient {
  const { key, policy, cluster, ca, limits } = settings;
  const options: SendOptions & { readonly servers: string } = {
    servers,
    versions: "2",
    key: key ?? "",
    timeout: boundedTimeout(limits.backendTimeout),
    ...(cluster === null ? {} : { cluster }),
    ...(ca === null ? {} : { ca }),
    ...(policy === null ? {} : { policy }),
  };
  try {
    const { carrier, fingerprint } = ForwardingClient.open(options, (warning) => log.warn(warning));
    const known = cluster === null ? {} : { cluster };
    log.info({ servers, fingerprint, policy, ...known }, "signing for the daemons");
    return carrier;
  } catch (problem) {
    if (!(problem instanceof DbsyncError)) throw problem;
    throw new StartError(sentenceOf(problem), problem.code === "bad-key" ? 1 : 2);
  }
}

/** Returns the message with the client library's option names replaced by the daemon's flags. */
function sentenceOf({ code, message }: DbsyncError): string {
  if (code === "bad-key")
    return `--key: ${message.replace(/\.?$/, ".")} The daemons must know its public key (-s, or dbsync keys add).`;
  return message.replace(/^.*?: (\w+) is/, (all, name: string) => `${FLAGS[name] ?? all} is`);
}
