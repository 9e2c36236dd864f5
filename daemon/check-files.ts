/** What --check-config looks at besides values: the files that a start would read. */
import { pino } from "pino";
import type { Settings } from "./options/settings.js";
import { hasUserListener } from "./options/user-listener-options.js";

/** @throws StartError  a file that cannot be used, and the cure */
export async function checkFiles(settings: Settings): Promise<void> {
  if (settings.signKey.length > 0 || settings.rootKey.length > 0) {
    const { loadSigners } = await import("./trust/load-signers.js");
    loadSigners(settings, pino({ level: "silent" }));
  }
  if (settings.clusterSecret !== null) {
    const { loadClusterSecret } = await import("./trust/cluster-secret.js");
    loadClusterSecret(settings, pino({ level: "silent" }));
  }
  if (settings.tls !== null) {
    const { readPair } = await import("./trust/tls.js");
    readPair(settings.tls);
  }
  if (hasUserListener(settings)) {
    const { readUsers } = await import("./users/read-users.js");
    readUsers(settings);
  }
}
