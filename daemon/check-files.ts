/** What --check-config looks at besides values: the files that a start would read. */
import { pino } from "pino";
import type { Settings } from "./settings.js";
import { hasUserListener } from "./user-listener-options.js";

/** @throws StartError  a file that cannot be used, and the cure */
export async function checkFiles(settings: Settings): Promise<void> {
  if (settings.signKey.length > 0 || settings.rootKey.length > 0) {
    const { loadSigners } = await import("./load-signers.js");
    loadSigners(settings, pino({ level: "silent" }));
  }
  if (settings.tls !== null) {
    const { readPair } = await import("./tls.js");
    readPair(settings.tls);
  }
  if (hasUserListener(settings)) {
    const { readUsers } = await import("./read-users.js");
    readUsers(settings);
  }
}
