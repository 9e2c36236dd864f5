/** A JSON client as the actions see it. It accesses the documents with the rights of its user. */

import type { ByteString } from "../../../protocol/byte-string.js";
import { type ErrorReply, error, type Reply } from "../../../protocol/reply.js";
import { inTurns } from "../../../protocol/steps.js";
import { SessionCommandSender, UserCommands } from "../../users/user-commands.js";
import type { UserSocketHost } from "../../users/user-listener.js";
import type { Denial } from "../../users/user-session.js";
import type { Text } from "../messages/json-answers.js";
import type { JsonRequest } from "../messages/json-request.js";
import type { JsonReplicas } from "../replicas/replicas.js";

const NOT_PERMITTED = error("NOPERM this user has no permissions for this action or document.");
const OUT_OF_MEMORY = error("OOM No memory is left for more data.");

/** The result of a write. */
export interface Written {
  readonly reply: Reply;
  /** Whether another server has confirmed the write, or null if the answer has no such member. */
  readonly replicated: boolean | null;
}

export type Answer = Text | Promise<Text>;
export type Action = (client: DocumentClient, request: JsonRequest) => Answer;

export class DocumentClient {
  readonly commands: UserCommands;
  readonly #host: UserSocketHost;
  readonly #replicas: JsonReplicas | null;
  readonly #sender: SessionCommandSender;
  #isDisconnected = false;

  /** @param replicas  original servers to which writes are sent, or null if there are none */
  constructor(host: UserSocketHost, replicas: JsonReplicas | null) {
    this.#host = host;
    this.#replicas = replicas;
    this.commands = new UserCommands(host, denied);
    this.#sender = new SessionCommandSender(this.commands.userSession, host.environment);
  }

  /**
   * The kind of ids that entries without keys receive. `renumbered`: 0, 1, 2, …, where a deletion renumbers the later
   * entries. `sequential`: also 0, 1, 2, …, but a deletion changes no other id. `long`: numbers with 19 digits, on a
   * sidecar, whose writes may be dated before writes that the daemons have already applied.
   */
  get ids(): "renumbered" | "sequential" | "long" {
    const { records, localData } = this.#host.path;
    if (!records) return "renumbered";
    return localData === null ? "long" : "sequential";
  }

  read(argv: readonly ByteString[]): Reply | Promise<Reply> {
    return this.commands.run(argv, this.#sender);
  }

  write(argv: readonly ByteString[], request: JsonRequest): Written | Promise<Written> {
    const called = this.commands.permitted(argv);
    if ("kind" in called) return { reply: called, replicated: null };

    const { path } = this.#host;
    const isLocal = request.isOff("replicate");
    if (this.#replicas !== null && !isLocal) {
      const { reply, forwarded } = this.#replicas.write(argv, request);
      return forwarded === null
        ? { reply, replicated: null }
        : forwarded.then((replicated) => ({ reply, replicated }));
    }

    let replicated: boolean | null = isLocal || path.others !== null ? false : null;
    const waits = !isLocal && path.others !== null && path.others > 0;
    const sender = waits
      ? this.#sender.awaiting((isReplicated) => (replicated = isReplicated))
      : this.#sender;
    const reply = path.execute(called.command, argv, sender);
    return reply instanceof Promise
      ? reply.then((settled) => ({ reply: settled, replicated }))
      : { reply, replicated };
  }

  /**
   * Runs long work in steps, between which other clients are served; short work runs within one turn. @returns the
   * result of the work
   */
  inTurns<A>(work: Iterator<void, A>): A | Promise<A> {
    const clock = { uptime: this.#host.environment.uptime, soon: setImmediate };
    return inTurns(work, clock, { isWanted: () => !this.#isDisconnected });
  }

  /**
   * Cancels unfinished answers, because the client has disconnected. Otherwise a client that keeps reconnecting could
   * make the daemon compute many long answers at the same time.
   */
  leave(): void {
    this.#isDisconnected = true;
  }
}

const denied = (denial: Denial): ErrorReply => (denial === "no-memory" ? OUT_OF_MEMORY : NOT_PERMITTED);
