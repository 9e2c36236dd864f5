/** Reads a daemon's own key from its data folder. With it, an operator of the folder gives that daemon orders. */
import type { KeyObject } from "node:crypto";
import { noKey, ownerOf } from "../../../daemon/engine/trust/data-folder.js";
import { StartError } from "../../../daemon/net/process/service.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import type { FolderFlags } from "../shared/folder-options.js";
import { folderPath, withFolderErrors } from "./data-folder.js";

export interface DaemonKey {
  /** The path of the folder. */
  readonly folder: string;
  /** The daemon's id, hexadecimal. */
  readonly id: string;
  /** The private key. */
  readonly key: KeyObject;
}

/** @throws ExitError  there is no such folder, or no key in it that this user can read */
export function readDaemonKey(flags: FolderFlags): Promise<DaemonKey> {
  return withFolderErrors(async () => {
    const folder = await folderPath(flags);
    const owner = ownerOf(folder);
    if (owner === null) throw new StartError(`--data ${folder}: ${noKey(folder)}`, 1);
    return { folder, id: hexOf(owner.id), key: owner.key };
  });
}
