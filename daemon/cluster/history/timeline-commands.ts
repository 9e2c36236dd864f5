/**
 * Runs the TIMELINE commands, and reads the figures of the timeline for metrics. The commands' code is loaded on first
 * use, because only operators send them. They change nothing, so a failed import changes no state.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { error, type Reply } from "../../../protocol/reply.js";
import { notLoaded } from "../../store/arguments/command-errors.js";
import { TIMELINE_COMMANDS, type TimelineCommandName } from "../../store/commands/timeline.js";
import type { Unit } from "../../store/keyspace/unit.js";
import type { NodeState } from "../replica/replica-context.js";
import type { TimelineRecorder } from "../replica/timeline-recorder.js";
import type { FoldMirror } from "./fold-mirror.js";
import { figuresOf, type ReplicaFigures } from "./replica-figures.js";
import type { TimelineAnswers } from "./timeline-answers.js";

type AnswersModule = Pick<typeof import("./timeline-answers.js"), "TimelineAnswers">;

export class TimelineCommands {
  readonly node: NodeState;
  readonly recorder: TimelineRecorder;
  /** The daemon's start, in milliseconds since 1970. */
  readonly startedAt: number;
  /** The Redis that mirrors the fold, or null if there is none. */
  mirror: FoldMirror | null = null;
  readonly #load: () => Promise<AnswersModule>;
  /** The answers, or null until their code is loaded. */
  #answers: TimelineAnswers | null = null;
  #isStopped = false;

  constructor(
    node: NodeState,
    recorder: TimelineRecorder,
    load: () => Promise<AnswersModule> = () => import("./timeline-answers.js"),
  ) {
    this.node = node;
    this.recorder = recorder;
    this.startedAt = Math.floor(node.environment.clock());
    this.#load = load;
  }

  /** The figures for metrics. */
  get figures(): ReplicaFigures {
    return figuresOf(this);
  }

  /** The number of recalls that are running. */
  get recalls(): number {
    return this.#answers?.recalls.running ?? 0;
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
    if (!isTimelineCommand(name)) return null;
    return this.#answers?.execute(name, argv, unit) ?? this.#loadAndExecute(name, argv, unit);
  }

  async #loadAndExecute(name: TimelineCommandName, argv: readonly ByteString[], unit: Unit): Promise<Reply> {
    // Copy the fields: while the code is loaded, the object may become the unit of another client.
    const { db, id, readsAll, caller } = unit;
    try {
      const { TimelineAnswers } = await this.#load();
      this.#answers ??= new TimelineAnswers(this);
    } catch (problem) {
      return notLoaded("TIMELINE's commands", problem).reply;
    }
    if (this.#isStopped) return error("ERR the daemon stops");
    return await this.#answers.execute(name, argv, { db, id, readsAll, caller });
  }

  /** Stops all running requests. */
  stop(): void {
    this.#isStopped = true;
    this.#answers?.stop();
  }
}

function isTimelineCommand(name: string): name is TimelineCommandName {
  return (TIMELINE_COMMANDS as readonly string[]).includes(name);
}
