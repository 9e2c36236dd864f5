/** The sidecar, which signs the commands of its clients and forwards them to other daemons (-d dbsync). */
import type { Face } from "../../daemon/program/face.js";
import { checkSidecarOptions, SIDECAR_OPTIONS } from "./options.js";

export const sidecar: Face = {
  options: SIDECAR_OPTIONS,
  checkOptions: checkSidecarOptions,
  async checkFiles(settings) {
    const { pino } = await import("pino");
    for (const specification of settings.database) {
      if (specification.kind !== "dbsync") continue;
      const { openForwardingClient } = await import("./signing-backend.js");
      // A client that is opened reads its files, so unreadable ones are reported before the daemon starts.
      await openForwardingClient(specification, settings, pino({ level: "silent" })).close();
    }
  },
  async makeBackend(specification, { settings, log, environment }) {
    if (specification.kind !== "dbsync") return null;
    const { openForwardingClient, SigningBackend } = await import("./signing-backend.js");
    const client = openForwardingClient(specification, settings, log);
    const path = async () => new (await import("./signed-path.js")).SignedPath(client, environment);
    return { backend: new SigningBackend(specification.name, client), outliving: null, path };
  },
};
