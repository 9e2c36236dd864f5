/** The types of a mistake that users make: how a test makes it, and what each text about it must contain. */
import type { SendOptions } from "../../client/settings/client-settings.js";
import type { CommandInput } from "../../client/shared/command-input.js";
import type { Scene } from "./scene.js";

/** Where a text appears: in the error of a program, on the terminal, or in the log of a daemon. */
export type Reader = "Node" | "shell" | "PHP" | "Python" | "Go" | "dbsyncd" | "log";

/** A call that is possible in every language. */
export interface Call {
  readonly servers: string;
  /** The path of the key file, or "" for unsigned commands. */
  readonly key: string;
  readonly command: CommandInput;
  readonly options?: Pick<
    SendOptions,
    "timeout" | "cluster" | "policy" | "db" | "versions" | "ca" | "replicated"
  >;
}

export interface Mistake {
  /** The mistake as a user would describe it. */
  readonly name: string;
  /** Whether docs/troubleshooting.md contains the text. */
  readonly isCommon?: true;
  /** Patterns for what is wrong, where, and what to do. Each text must match all of them. */
  readonly says: readonly RegExp[];
  /** Returns the call for Node, the shell, PHP, Python and Go. */
  readonly call?: (scene: Scene) => Call;
  /** The languages that have no such option, or in which the call is not a mistake. */
  readonly not?: readonly Reader[];
  /** The log of the daemon that reports the mistake, and a pattern for the line. */
  readonly log?: { readonly of: (scene: Scene) => readonly object[]; readonly line: RegExp };
  /** Makes the mistake only in Node. */
  readonly node?: (scene: Scene) => Promise<unknown>;
  /** Whether the call succeeds with a warning. */
  readonly isWarning?: true;
  /** Returns arguments of `dbsync`, variables, and the contents of a dbsync.ini. */
  readonly shell?: (scene: Scene) => ShellCall;
  /** Returns arguments of `dbsyncd`. */
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
  /** The contents of the file of --config. */
  readonly toml?: string;
}
