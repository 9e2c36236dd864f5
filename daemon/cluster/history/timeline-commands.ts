/**
 * TIMELINE and its subcommands, which a daemon answers from its timeline while it serves other commands. They change
 * nothing, and are not recorded. The signing key's permissions have already been checked. Source: docs/protocol-v2.md
 * "TIMELINE".
 */

import type { Mirror } from "../../../faces/redis-mirror/mirror.js";
import { repairMirror } from "../../../faces/redis-mirror/repair-mirror.js";
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import { error, type Reply } from "../../../protocol/reply.js";
import { hashOf } from "../../engine/trust/identity.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import { DATABASES_DEFAULT } from "../../store/database.js";
import type { Unit } from "../../store/keyspace/unit.js";
import { Recalls } from "../../timeline/history-fold.js";
import { FOLD_AHEAD_MS } from "../../timeline/unfolded-entries.js";
import type { Recorder } from "../replica/recorder.js";
import type { NodeState } from "../replica/replica-context.js";
import { envelopeOutcomes } from "./envelope-outcomes.js";
import { figuresOf, type ReplicaFigures } from "./replica-figures.js";
import { blame } from "./timeline-blame.js";
import { deadLettersReply } from "./timeline-dead-letters.js";
import { pastState } from "./timeline-get.js";
import { log } from "./timeline-log.js";
import { status } from "./timeline-status.js";

type Handler = (argv: readonly ByteString[], unit: Unit) => Reply | Promise<Reply>;

export class TimelineCommands {
  readonly recalls: Recalls;
  readonly node: NodeState;
  readonly recorder: Recorder;
  /** When the daemon was started, by its clock at that time; milliseconds since 1970. */
  readonly startedAt: number;
  /** The Redis that mirrors the fold, or null if there is none. */
  mirror: Mirror | null = null;
  readonly #handlers: ReadonlyMap<string, Handler>;

  constructor(node: NodeState, recorder: Recorder) {
    const { storage, snapshots, soon, environment, signers } = node;
    const beginning = { hash: hashOf, genesis: signers.makeRing, databases: DATABASES_DEFAULT };
    const clock = { soon, uptime: environment.uptime };
    const recalls = new Recalls(storage, snapshots.snapshots, beginning, clock);
    this.recalls = recalls;
    this.node = node;
    this.recorder = recorder;
    this.startedAt = Math.floor(environment.clock());
    const now = () => Math.floor(environment.clock());
    const scene = ({ db }: Unit) => ({ recalls, db, last: now() + FOLD_AHEAD_MS });
    this.#handlers = new Map<string, Handler>([
      ["TIMELINE|BLAME", (argv, unit) => blame(argv, { ...scene(unit), showsAll: unit.readsAll ?? false })],
      [
        "TIMELINE|DEADLETTERS",
        (argv) => deadLettersReply(argv, this.node.removedDataStores.deadLetters, this.node.timeline.ring),
      ],
      ["TIMELINE|FATE", (argv) => envelopeOutcomes(argv, this.node, this.recorder)],
      ["TIMELINE|GET", (argv, { db, id }) => pastState(argv, { recalls, db, id, now: now() })],
      ["TIMELINE|LOG", async (argv, unit) => await log(argv, scene(unit))],
      ["TIMELINE|REPAIR", (argv) => repairMirror(argv, this.mirror)],
      ["TIMELINE|STATUS", (argv) => status(argv, figuresOf(this), this.node.timeline.index)],
    ]);
  }

  /** The figures for metrics. */
  get figures(): ReplicaFigures {
    return figuresOf(this);
  }

  /** The number of dead letters that wait for an operator. */
  get deadLetters(): number {
    return this.node.removedDataStores.waitingDeadLetters(this.node.environment.clock());
  }

  /**
   * Runs a TIMELINE command.
   * @param name  the command's name in the table of commands
   * @returns null if it is a different command
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

  /** Stops all running requests. */
  stop(): void {
    this.recalls.stop();
  }
}

/** Converts an error to the unit's answer. Whatever the error is, the command has changed nothing. */
function errorOf(problem: unknown): Reply {
  if (problem instanceof CommandFailure) return problem.reply;
  const reason = problem instanceof Error ? problem.message : String(problem);
  return error(bytesOfText(`ERR ${reason}`.replaceAll(/[\r\n]+/g, " ")));
}
