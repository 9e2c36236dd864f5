/** The interface of the modules of `dbsync` that import a face, as faces.ts lists them. A module may be missing. */
import type { Command } from "commander";
import { DbsyncError } from "../../../client/shared/errors.js";
import type { SendToAll, TypedRequests } from "./requests.js";

/** Loads the function that adds a subcommand to the program. */
export type LoadSubcommand = () => Promise<(program: Command) => void>;

/** Receives a note about data that is missing from the folder or differs from the daemons' data. */
export type NoteHandler = (note: string) => void;

/** The data folders of the earlier SQL server. */
export interface DataFolders {
  /** Writes all tables of the daemons to a folder. */
  readonly exportFolder: (path: string, requests: TypedRequests, note: NoteHandler) => Promise<void>;
  /** Sends the tables in a folder to the daemons. @param mayReplace  whether existing databases are dropped first */
  readonly importFolder: (folder: string, send: SendToAll, mayReplace?: boolean) => Promise<void>;
}

export interface CliFace {
  /** Its subcommands by their names. */
  readonly subcommands: Readonly<Record<string, LoadSubcommand>>;
  readonly loadDataFolders?: () => Promise<DataFolders>;
}

/** Loads the code for `sql:DIR`. @throws DbsyncError  this build does not contain it */
export async function dataFoldersOf(faces: readonly CliFace[]): Promise<DataFolders> {
  for (const { loadDataFolders } of faces) if (loadDataFolders !== undefined) return await loadDataFolders();
  throw new DbsyncError(
    "bad-option",
    "sql: cannot be used, because this build of dbsync does not contain its code. Install a complete build.",
  );
}
