/** Checks a daemon's data folder or a backup. */

import { useAllFamilies } from "../../../daemon/installed-families.js";
import { StartError } from "../../../daemon/net/process/service.js";
import { isSigned, type Settings } from "../../../daemon/options/settings.js";
import { NoWriters } from "../../../daemon/options/settings-rules.js";
import { type BackupVerification, verifyBackup } from "../../backup/file/backup-verification.js";
import { type FolderReport, verifyFolder } from "../../history/verification/folder-verification.js";
import { NotChecked } from "../../history/verification/timeline-verification.js";
import { EXIT } from "../shared/exit-codes.js";
import type { FolderFlags } from "../shared/folder-options.js";
import { countEntries } from "../shared/progress.js";
import { KEYS_MISSING, withFolderErrors } from "./folder-failures.js";
import { daemonSettings } from "./folder-settings.js";

/** Checks a folder. @param backup  a file to check instead, or undefined @throws Failure */
export function verify(
  flags: FolderFlags,
  backup: string | undefined,
): Promise<FolderReport | BackupVerification> {
  // A file that cannot be opened does not mean that the folder is damaged.
  const check = async () => {
    await useAllFamilies();
    return await verifyWith(await settingsFor(flags), backup);
  };
  return withFolderErrors(check, {
    kinds: [NotChecked],
    failed: EXIT.unchecked,
  });
}

/** @throws StartError */
async function settingsFor(flags: FolderFlags): Promise<Settings> {
  try {
    return await daemonSettings(flags);
  } catch (problem) {
    throw problem instanceof NoWriters ? new StartError(KEYS_MISSING, problem.exitCode) : problem;
  }
}

/** @throws StartError, NotChecked */
async function verifyWith(
  settings: Settings,
  backup: string | undefined,
): Promise<FolderReport | BackupVerification> {
  const { data } = settings;
  if (data === null && backup === undefined)
    throw new StartError("--data is missing: add --data FOLDER, or --backup FILE.", 2);
  if (!isSigned(settings)) throw new StartError(KEYS_MISSING, 2);
  using progress = countEntries();
  const show = (entries: number) => progress.show(entries);
  if (backup !== undefined || data === null) return verifyBackup(settings, backup ?? "", show);
  return await verifyFolder(settings, data, show);
}
