/**
 * The path of commands while this daemon may still be fetching its documents. Document commands are refused until it
 * has fetched them.
 */

import type { CommandSender } from "../../daemon/engine/backends/command-path.js";
import type { LocalUnits } from "../../daemon/engine/backends/local-units.js";
import type { MemoryBackend } from "../../daemon/engine/backends/memory-backend.js";
import type { Command } from "../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
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
