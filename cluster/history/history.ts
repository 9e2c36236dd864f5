/**
 * TIMELINE and its subcommands, on a daemon that has a timeline: answered from its own, beside everything else. They
 * change nothing, and are not recorded. What the key may do has been checked. Source: docs/protocol-v2.md "TIMELINE".
 */

import type { MirrorFace } from "../../engine/mirror/mirror-parts.js";
import type { Environment } from "../../net/process/environment.js";
import { type ByteString, bytesOfText } from "../../protocol/byte-string.js";
import { error, type Reply } from "../../protocol/reply.js";
import { CommandFailure } from "../../store/arguments/errors.js";
import type { Unit } from "../../store/keyspace/unit.js";
import { type RecallParts, Recalls } from "../../timeline/recall.js";
import { DUE_AHEAD_MS } from "../../timeline/waiting.js";
import { blame } from "./blame.js";
import { fates } from "./fates.js";
import { log } from "./log.js";
import { pastState } from "./past-state.js";
import { repair } from "./repair.js";
import { figuresOf, type ReplicaFace, type ReplicaFigures } from "./replica-figures.js";
import { status } from "./status.js";

export interface HistoryParts {
  readonly recall: RecallParts;
  readonly replica: Omit<ReplicaFace, "recalls" | "mirror" | "startedAt">;
  readonly environment: Pick<Environment, "clock">;
}

type Handler = (argv: readonly ByteString[], unit: Unit) => Reply | Promise<Reply>;

export class History {
  readonly #recalls: Recalls;
  readonly #replica: ReplicaFace;
  /** The Redis that follows the fold; null: none does. */
  mirror: MirrorFace | null = null;
  readonly #handlers: ReadonlyMap<string, Handler>;

  constructor({ recall, replica, environment }: HistoryParts) {
    const recalls = new Recalls(recall);
    this.#recalls = recalls;
    const startedAt = Math.floor(environment.clock());
    this.#replica = { ...replica, recalls, startedAt, mirror: () => this.mirror };
    const now = () => Math.floor(environment.clock());
    const scene = ({ db }: Unit) => ({ recalls, db, last: now() + DUE_AHEAD_MS });
    this.#handlers = new Map<string, Handler>([
      ["TIMELINE|BLAME", (argv, unit) => blame(argv, { ...scene(unit), showsAll: unit.readsAll ?? false })],
      ["TIMELINE|FATE", (argv) => fates(argv, this.#replica)],
      ["TIMELINE|GET", (argv, { db, id }) => pastState(argv, { recalls, db, id, now: now() })],
      ["TIMELINE|LOG", async (argv, unit) => await log(argv, scene(unit))],
      ["TIMELINE|REPAIR", (argv) => repair(argv, this.mirror)],
      ["TIMELINE|STATUS", (argv) => status(argv, this.#replica)],
    ]);
  }

  /** For metrics. */
  get figures(): ReplicaFigures {
    return figuresOf(this.#replica);
  }

  /**
   * Runs one of its commands.
   * @param name  in the table of commands
   * @returns null: the command is another's
   */
  execute(name: string, argv: readonly ByteString[], unit: Unit): Reply | Promise<Reply> | null {
    const handler = this.#handlers.get(name);
    if (handler === undefined) return null;
    try {
      const reply = handler(argv, unit);
      return reply instanceof Promise ? reply.catch(errorOf) : reply;
    } catch (problem) {
      return errorOf(problem);
    }
  }

  /** Ends what runs. */
  stop(): void {
    this.#recalls.stop();
  }
}

/** What went wrong, as the unit's answer: nothing has been changed, whatever it was. */
function errorOf(problem: unknown): Reply {
  if (problem instanceof CommandFailure) return problem.reply;
  const reason = problem instanceof Error ? problem.message : String(problem);
  return error(bytesOfText(`ERR ${reason}`.replaceAll(/[\r\n]+/g, " ")));
}
