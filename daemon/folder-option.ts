/** Which data folder a program beside the daemon is to look at, by the daemon's own options. */
import { parseArgs } from "node:util";
import { StartError } from "../net/process/start-error.js";
import type { Settings } from "../options/settings.js";
import { readCommandLine } from "./command-line.js";

/** What a daemon would be started with. @throws StartError */
export async function settingsOf(words: readonly string[]): Promise<Settings> {
  const task = await readCommandLine([...words], process.env);
  if (task.kind === "run") return task.settings;
  throw new StartError(task.text, 2);
}

/** A folder needs no keys: only a configuration file is read as a daemon does. @throws StartError */
export async function folderOf(words: readonly string[]): Promise<string> {
  const { values } = parseArgs({
    args: [...words],
    strict: false,
    options: { data: { type: "string" }, config: { type: "string" } },
  });
  const { data = process.env["DBSYNCD_DATA"], config } = values;
  const found = typeof config === "string" ? (await settingsOf(words)).data : data;
  if (typeof found === "string" && found !== "") return found;
  throw new StartError("--data is missing: name the folder.", 2);
}
