/** Checks the files that the daemon would read at its start, for --check-config. */
import { pino } from "pino";
import { hasUserListener, type Settings, tlsFilesOf } from "../options/settings.js";

/** Checks the files. @throws StartError  a file cannot be used; the message says what to do */
export async function checkFiles(settings: Settings): Promise<void> {
  if (settings.signKey.length > 0 || settings.rootKey.length > 0) {
    const { loadSigners } = await import("../engine/trust/load-signers.js");
    loadSigners(settings, pino({ level: "silent" }));
  }
  if (settings.clusterSecret !== null) {
    const { loadClusterSecret } = await import("../engine/trust/cluster-secret.js");
    loadClusterSecret(settings, pino({ level: "silent" }));
  }
  for (const specification of settings.database) {
    if (specification.kind !== "dbsync") continue;
    const { openForwardingClient } = await import("../../faces/sidecar/open-forwarding-client.js");
    await openForwardingClient(specification, settings, pino({ level: "silent" })).close();
  }
  const tls = tlsFilesOf(settings);
  if (tls !== null) {
    const { readPair } = await import("../engine/trust/tls-certificate.js");
    readPair(tls);
  }
  if (hasUserListener(settings)) {
    const { readUsers } = await import("../../faces/users/read-users.js");
    readUsers(settings);
  }
}
