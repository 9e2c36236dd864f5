/**
 * The interface of the modules of `dbsync` that import a face. tools/cli/faces.ts lists them; a build may omit any of
 * them.
 */
import type { Command } from "commander";
import { DbsyncError } from "../../../client/shared/errors.js";
import type { SendToAll, TypedRequests } from "./requests.js";

/** Loads the function that adds a subcommand to the program. */
export type LoadSubcommand = () => Promise<(program: Command) => void>;

/** The callback for notes about data that is missing from the folder or differs from the daemons' data. */
export type NoteHandler = (note: string) => void;

/** The code that copies tables to and from folders of the earlier SQL server. */
export interface SqlFolders {
  /** Writes all tables of the daemons to a folder. */
  readonly exportFolder: (path: string, requests: TypedRequests, note: NoteHandler) => Promise<void>;
  /** Sends the tables in a folder to the daemons. @param mayReplace  whether existing databases are dropped first */
  readonly importFolder: (folder: string, send: SendToAll, mayReplace?: boolean) => Promise<void>;
}

/** What such a module adds to `dbsync`. */
export interface CliFace {
  /** Its subcommands by their names. */
  readonly subcommands: Readonly<Record<string, LoadSubcommand>>;
  readonly loadSqlFolders?: () => Promise<SqlFolders>;
}

/** Loads the code for `sql:DIR`. @throws DbsyncError  this build does not contain it */
export async function sqlFoldersOf(faces: readonly CliFace[]): Promise<SqlFolders> {
  for (const { loadSqlFolders } of faces) if (loadSqlFolders !== undefined) return await loadSqlFolders();
  throw new DbsyncError(
    "bad-option",
    "sql:DIR cannot be used, because this build of dbsync does not contain its code. Install a complete build.",
  );
}
