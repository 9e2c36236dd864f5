/** Makes backups of a daemon's data folder, and restores them as a folder or key by key. */
import { pino } from "pino";
import { loadSigners } from "../../../daemon/engine/trust/load-signers.js";
import { StartError } from "../../../daemon/net/process/service.js";
import { isSigned } from "../../../daemon/options/settings.js";
import { DATABASES_DEFAULT } from "../../../daemon/store/database.js";
import { installFamilies } from "../../../daemon/store/family-code.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { type BackupReport, backUp as writeBackup } from "../../backup/file/backup-file.js";
import type { OpenedBackup } from "../../backup/file/opened-backup.js";
import {
  type RestoredKey,
  requireReadable,
  restoredKeys,
  restoreFolder as restoreInto,
} from "../../backup/file/restored-backup.js";
import type { FolderFlags } from "../shared/folder-options.js";
import { printNotice } from "../shared/output.js";
import { countEntries, forEachConcurrently } from "../shared/progress.js";
import { daemonSettings, FACES, folderPath, KEYS_MISSING, withFolderErrors } from "./data-folder.js";

export type { BackupReport };

/** Number of keys that are restored at the same time; all their values are in memory. */
const CONCURRENT_RESTORES = 64;

const log = pino({ level: "silent" });

/**
 * Makes a backup.
 * @param incomplete  whether to make it even if the daemon is catching up
 * @throws ExitError, NoBackup
 */
export function backUpDataFolder(
  file: string,
  incomplete: boolean,
  flags: FolderFlags,
): Promise<BackupReport> {
  return withFolderErrors(async () => {
    const data = await folderPath(flags);
    using progress = countEntries();
    return await writeBackup(data, file, incomplete, (entries) => progress.show(entries));
  });
}

/** Checks that the backup exists and can be read. @throws ExitError, NotRestored */
export const requireBackup = (file: string): Promise<void> =>
  withFolderErrors(async () => requireReadable(file));

/**
 * Restores a backup as a data folder.
 * @param at  the date in milliseconds since 1970, or null for the complete backup
 * @throws ExitError, NotRestored
 */
export function restoreDataFolder(
  file: string,
  at: number | null,
  flags: FolderFlags,
): Promise<OpenedBackup["end"]> {
  return withFolderErrors(async () => await restoreInto(await folderPath(flags), file, at, log));
}

export interface KeySelection {
  readonly file: string;
  /** The date in milliseconds since 1970, or null for the time of the backup. */
  readonly at: number | null;
  readonly db: number;
  readonly isWanted: (key: ByteString) => boolean;
}

/**
 * Folds a backup and passes its keys to `restore`, several at the same time.
 * @throws ExitError, NotRestored, and the errors of `restore`
 */
export function restoreKeys(
  { file, at, db, isWanted }: KeySelection,
  flags: FolderFlags,
  restore: (found: RestoredKey) => Promise<void>,
): Promise<void> {
  return withFolderErrors(async () => {
    const settings = await daemonSettings(flags);
    if (!isSigned(settings)) throw new StartError(KEYS_MISSING, 2);
    const signers = loadSigners(settings, log);
    installFamilies(FACES);
    const databases = DATABASES_DEFAULT;
    const onNotice = (text: string) => void printNotice(text);
    const found = restoredKeys({ file, at, db, isWanted, signers, databases, onNotice });
    await forEachConcurrently(found, CONCURRENT_RESTORES, restore);
  });
}
