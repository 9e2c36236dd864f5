/**
 * The timeline's state as a backend: reads only, since what writes is recorded and folded instead. Judged by a time that
 * never goes back.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Condition } from "../../protocol/envelope.js";
import type { Reply } from "../../protocol/reply.js";
import type { Command } from "../../store/command.js";
import { resolveCommand } from "../../store/command-table.js";
import { DATABASES_DEFAULT, type Database } from "../../store/database.js";
import { CommandFailure } from "../../store/errors.js";
import type { Unit } from "../../store/unit.js";
import type { WriteObserver } from "../command-path.js";
import type { Environment } from "../environment.js";
import { type KeyCounts, keyCountsOf } from "../key-counts.js";
import type { Backend } from "./backend.js";

/** What is read of a timeline. */
export interface TimelineState {
  readonly database: Database;
  readonly failure: string | null;
}

/** What answers TIMELINE commands. */
export interface PastCommands {
  /** @returns null: the command is another's */
  execute(name: string, argv: readonly ByteString[], unit: Unit): Reply | Promise<Reply> | null;
}

export class TimelineBackend implements Backend {
  readonly name = "memory";
  readonly databases = DATABASES_DEFAULT;
  /** Not used: the answer comes at once. */
  timeout = 0;
  /** Is told when the state has changed; null: nobody wants to know. */
  observer: Pick<WriteObserver, "changed"> | null = null;
  readonly #timeline: TimelineState;
  readonly #environment: Pick<Environment, "clock">;
  readonly #past: PastCommands | null;
  /** The latest time that a read was judged by. */
  #readAt = 0;

  constructor(
    timeline: TimelineState,
    environment: Pick<Environment, "clock">,
    past: PastCommands | null = null,
  ) {
    this.#timeline = timeline;
    this.#past = past;
    this.#environment = environment;
  }

  /** Whether the disk takes what is written. */
  get up(): boolean {
    return this.#timeline.failure === null;
  }

  /** The timeline's own life is its owner's. */
  async start(): Promise<void> {}
  async stop(): Promise<void> {}

  execute(argv: readonly ByteString[], unit: Unit): Reply | Promise<Reply> {
    const command = resolveCommand(argv);
    return command instanceof CommandFailure ? command.reply : this.run(command, argv, unit);
  }

  /** As `execute`, for a command that was found for these arguments. @param now  milliseconds since 1970 */
  run(
    command: Command,
    argv: readonly ByteString[],
    unit: Unit,
    now = this.#environment.clock(),
  ): Reply | Promise<Reply> {
    const past = this.#past?.execute(command.name, argv, unit) ?? null;
    if (past !== null) return past;
    if (command.writes) throw new Error(`${command.name} is recorded, not executed`);
    return this.#timeline.database.run(command, argv, this.#dated(unit, now));
  }

  executeTogether(commands: readonly (readonly ByteString[])[], unit: Unit): Reply {
    return this.#timeline.database.executeMulti(commands, this.#dated(unit));
  }

  holds(conditions: readonly Condition[], unit: Unit): boolean {
    return this.#timeline.database.holds(conditions, this.#dated(unit).at);
  }

  /** How many keys went because they had expired. */
  get expiredKeys(): number {
    return this.#timeline.database.expiredKeys;
  }

  /** Of the databases that are not empty. */
  get keyCounts(): readonly KeyCounts[] {
    return keyCountsOf(this.#timeline.database, this.#environment.clock());
  }

  /** The unit that changed a key last; empty: it is absent. */
  writerOf(db: number, key: ByteString): ByteString {
    return this.#timeline.database.writerOf(db, key, this.#environment.clock());
  }

  #dated({ db, id, step = 0, encoding }: Unit, now = this.#environment.clock()): Unit {
    this.#readAt = Math.max(this.#readAt, now);
    return { at: this.#readAt, db, id, step, encoding };
  }
}
