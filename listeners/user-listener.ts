/** What a listener is given whose clients have names and passwords instead of keys. */
import type { MemoryFace } from "../engine/memory/memory-limit.js";
import type { CommandPath } from "../engine/users/command-path.js";
import type { Users } from "../engine/users/users.js";
import type { DaemonFace } from "./daemon-face.js";
import type { DaemonListenerParts } from "./daemon-listener.js";

export interface UserListenerParts
  extends Omit<DaemonListenerParts, "name" | "options" | "fullText" | "connector"> {
  readonly path: CommandPath;
  readonly users: Users;
  readonly daemon: DaemonFace;
  readonly memory: MemoryFace;
}
