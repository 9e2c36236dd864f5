/** Makes what --admin serves. The daemon loads this with --admin only, and prom-client comes with it. */
import type { Logger } from "pino";
import { AdminServer } from "../../serving/admin/server.js";
import { loadWith } from "../../serving/process/optional-package.js";
import type { ListenPlace } from "../../serving/process/place.js";
import { isHealthy } from "./health.js";
import type { Sources } from "./metric-row.js";
import { METRICS } from "./metric-table.js";

export interface AdminParts {
  readonly place: ListenPlace;
  readonly hosts: readonly string[];
  readonly sources: Sources;
  readonly log: Logger;
}

/** Not started yet. @throws StartError  prom-client is not installed */
export async function makeAdmin({ place, hosts, sources, log }: AdminParts): Promise<AdminServer> {
  const { makeExposition } = await loadWith(
    "prom-client",
    "--admin",
    () => import("../../serving/admin/exposition.js"),
  );
  const health = () => {
    const details = sources.health();
    return { isHealthy: isHealthy(details), details };
  };
  return new AdminServer({ place, hosts, log, health, exposition: makeExposition(METRICS, sources) });
}
