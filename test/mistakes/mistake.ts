/** A mistake that people make: how a test makes it, and what every text about it must say. */
import type { SendOptions } from "../../client/settings/options.js";
import type { CommandInput } from "../../client/shared/command.js";
import type { Scene } from "./scene.js";

/** Where a text appears: in a program's error, on the terminal, or in a daemon's log. */
export type Reader = "Node" | "shell" | "PHP" | "Python" | "dbsyncd" | "log";

/** A call that every language can make. */
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
  /** The mistake in users' words. */
  readonly name: string;
  /** Whether docs/troubleshooting.md prints its text. */
  readonly isCommon?: true;
  /** What, where, and what to do: each must occur in each text. */
  readonly says: readonly RegExp[];
  /** Makes the call for Node, the shell, PHP and Python. */
  readonly call?: (scene: Scene) => Call;
  /** Languages that have no such option, or in which it is no mistake. */
  readonly not?: readonly Reader[];
  /** A line of a daemon's log. */
  readonly log?: { readonly of: (scene: Scene) => readonly object[]; readonly line: RegExp };
  /** Makes the mistake in Node alone. */
  readonly node?: (scene: Scene) => Promise<unknown>;
  /** Whether the call succeeds, with a warning. */
  readonly isWarning?: true;
  /** Arguments of `dbsync`, variables, and the content of a dbsync.ini. */
  readonly shell?: (scene: Scene) => ShellCall;
  /** Arguments of `dbsyncd`. */
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
  /** Content of the file that --config names. */
  readonly toml?: string;
}
