/** Finds the data folder from the daemon's options. */
import { StartError } from "../../../daemon/net/process/service.js";
import { version } from "../../../daemon/net/process/version.js";
import { applyNamedFile, optionTable, parseArguments } from "../../../daemon/options/parse-options.js";
import { settingsOf } from "../../../daemon/options/read-settings.js";
import type { Settings } from "../../../daemon/options/settings.js";
import type { FolderFlags } from "../shared/folder-options.js";

/** Returns the settings that a daemon with these options would start with. @throws StartError */
export async function daemonSettings(flags: FolderFlags): Promise<Settings> {
  const program = optionTable({ version, everything: false, print: () => {} });
  parseArguments(program, argumentsOf(flags), process.env);
  await applyNamedFile(program);
  return settingsOf(program);
}

/**
 * Returns the path of the data folder. The key options may be missing if `--config` is missing too. With `--config`,
 * this function reads the file as a daemon would, so the keys are required.
 * @throws StartError
 */
export async function folderPath(flags: FolderFlags): Promise<string> {
  const { data = process.env["DBSYNCD_DATA"], config } = flags;
  const found = config === undefined ? data : (await daemonSettings(flags)).data;
  if (found !== undefined && found !== null && found !== "") return found;
  throw new StartError("--data is missing: add --data FOLDER.", 2);
}

function argumentsOf({ data, signKey = [], rootKey = [], clusterName, config }: FolderFlags): string[] {
  const option = (name: string, value: string | undefined) => (value === undefined ? [] : [name, value]);
  return [
    ...option("--data", data),
    ...signKey.flatMap((file) => ["--sign-key", file]),
    ...rootKey.flatMap((file) => ["--root-key", file]),
    ...option("--cluster-name", clusterName),
    ...option("--config", config),
  ];
}
