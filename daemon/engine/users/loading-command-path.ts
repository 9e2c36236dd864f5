/**
 * The path of commands while this daemon may still be fetching its documents. Document commands are refused until it
 * has fetched them.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { Command } from "../../store/rows/command-row.js";
import type { LocalUnits } from "../backends/local-units.js";
import type { MemoryBackend } from "../backends/memory-backend.js";
import type { CommandSender } from "./command-path.js";
import { LocalPath } from "./local-command-path.js";

export class LoadingPath extends LocalPath {
  readonly #backend: MemoryBackend;

  constructor(backend: MemoryBackend, units: LocalUnits) {
    super(backend, units);
    this.#backend = backend;
  }

  override execute(
    command: Command,
    argv: readonly ByteString[],
    sender: CommandSender,
  ): Reply | Promise<Reply> {
    return this.#backend.refusalOf(command) ?? super.execute(command, argv, sender);
  }

  protected override executeNow(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply {
    return this.#backend.refusalOf(command) ?? super.executeNow(command, argv, sender);
  }
}
