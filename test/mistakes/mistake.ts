/** A mistake that people make: how it is made, and what every text about it has to say. */
import type { SendOptions } from "../../client/settings/options.js";
import type { CommandInput } from "../../client/shared/command.js";
import type { Scene } from "./scene.js";

/** Where a text is read: in a program's error, on the terminal, or in a daemon's log. */
export type Reader = "Node" | "shell" | "PHP" | "Python" | "dbsyncd" | "log";

/** A call as every language can make it. */
export interface Call {
  readonly servers: string;
  /** A file's path; "": unsigned. */
  readonly key: string;
  readonly command: CommandInput;
  readonly options?: Pick<
    SendOptions,
    "timeout" | "cluster" | "policy" | "db" | "versions" | "ca" | "replicated"
  >;
}

export interface Mistake {
  /** As people would say it. */
  readonly name: string;
  /** Whether docs/troubleshooting.md prints its text. */
  readonly isCommon?: true;
  /** What, where, and what to do: each stands in each text. */
  readonly says: readonly RegExp[];
  /** By Node, the shell, PHP and Python. */
  readonly call?: (scene: Scene) => Call;
  /** Languages that have no such option, or no such mistake. */
  readonly not?: readonly Reader[];
  /** A line of a daemon's log. */
  readonly log?: { readonly of: (scene: Scene) => readonly object[]; readonly line: RegExp };
  /** By Node alone. */
  readonly node?: (scene: Scene) => Promise<unknown>;
  /** The call is made, and what is wrong is a warning. */
  readonly isWarning?: true;
  /** Words behind `dbsync`, variables, and what a dbsync.ini holds. */
  readonly shell?: (scene: Scene) => ShellCall;
  /** Words behind `dbsyncd`. */
  readonly daemon?: (scene: Scene) => DaemonStart;
}

export interface ShellCall {
  readonly words: readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
  readonly ini?: string;
  readonly program?: "dbsync-keygen";
}

export interface DaemonStart {
  readonly words: readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
  /** Of the file that --config names. */
  readonly toml?: string;
}
