/** Checks the files that the daemon would read at its start, for --check-config. */
import { pino } from "pino";
import { type Settings, tlsFilesOf } from "../options/settings.js";
import { FACES } from "./installed-faces.js";

/** Checks the files. @throws StartError  a file cannot be used; the message says what to do */
export async function checkAllFiles(settings: Settings): Promise<void> {
  if (settings.signKey.length > 0 || settings.rootKey.length > 0) {
    const { loadSigners } = await import("../engine/trust/load-signers.js");
    loadSigners(settings, pino({ level: "silent" }));
  }
  if (settings.clusterSecret !== null) {
    const { loadClusterSecret } = await import("../engine/trust/cluster-secret.js");
    loadClusterSecret(settings, pino({ level: "silent" }));
  }
  const tls = tlsFilesOf(settings);
  if (tls !== null) {
    const { readPair } = await import("../engine/trust/tls-certificate.js");
    readPair(tls);
  }
  for (const { checkFiles } of FACES) await checkFiles?.(settings);
}
