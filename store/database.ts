/**
 * The in-memory database: keyspaces and the commands on them. Deterministic: time, seed and database number come with
 * the unit; there is no clock, no randomness and no IO in here.
 */
import type { ByteString } from "../protocol/byte-string.js";
import type { Reply } from "../protocol/reply.js";
import type { Command } from "./command.js";
import { resolveCommand } from "./command-table.js";
import { CommandFailure } from "./errors.js";
import { touchesOf } from "./key-spec.js";
import { Keyspace } from "./keyspace.js";
import { Data, isExpired } from "./mutators.js";
import { type UndoRecord, undo } from "./undo.js";
import type { Unit } from "./unit.js";

/** As many as Redis has by default. */
export const DATABASES_DEFAULT = 16;

export class Database {
  readonly #keyspaces: Keyspace[];
  readonly #data: Data;

  constructor({ databases = DATABASES_DEFAULT }: { databases?: number } = {}) {
    this.#keyspaces = Array.from({ length: databases }, () => new Keyspace());
    this.#data = new Data(this.#keyspaces);
  }

  /** For tests, snapshots and the state's digest; not to be changed. */
  get keyspaces(): readonly Keyspace[] {
    return this.#keyspaces;
  }

  /**
   * Runs one command.
   * @param argv     name and arguments
   * @param records  receives what `undo` needs to take the command back; without it nothing is remembered
   * @returns the reply; errors are replies as well, and have changed nothing
   */
  execute(argv: readonly ByteString[], unit: Unit, records: UndoRecord[] | null = null): Reply {
    const command = resolveCommand(argv);
    if (command instanceof CommandFailure) return command.reply;
    this.#data.begin(unit, records);
    if (command.flags.includes("write")) this.#removeExpired(command, argv, unit);
    try {
      return command.run(this.#data, argv, unit);
    } catch (failure) {
      if (failure instanceof CommandFailure) return failure.reply;
      throw failure;
    }
  }

  /** Takes back what `records` tells of, newest first. */
  undo(records: readonly UndoRecord[]): void {
    undo(this.#keyspaces, records);
  }

  /**
   * Drops keys that have expired before a time. Only for times that no unit to come is dated at: the fold must not see it.
   * @returns how many were dropped, `limit` at most
   */
  dropExpired(before: number, limit: number): number {
    let dropped = 0;
    for (const keyspace of this.#keyspaces) dropped += keyspace.dropExpired(before, limit - dropped);
    return dropped;
  }

  /** A key that a unit may write and finds expired is removed first, so that undo brings it back. */
  #removeExpired(command: Command, argv: readonly ByteString[], unit: Unit): void {
    if (!this.#keyspaces.some((keyspace) => keyspace.expiring > 0)) return;
    for (const { db, key, access } of touchesOf(command.keys, argv)) {
      if (key === null || access === "read") continue;
      const number = db ?? unit.db;
      const entry = this.#keyspaces[number]?.find(key);
      if (entry !== undefined && isExpired(entry, unit.at)) this.#data.delete(key, number);
    }
  }
}
