/** Makes what --admin serves. The daemon loads this with --admin only, and prom-client comes with it. */
import type { Logger } from "pino";
import { AdminServer } from "../../serving/admin/server.js";
import { loadWith } from "../../serving/process/optional-package.js";
import type { ListenPlace } from "../../serving/process/place.js";
import { DashboardSite } from "./dashboard-site.js";
import { type FrameSources, Frames } from "./frames.js";
import { isHealthy } from "./health.js";
import { METRICS } from "./metric-table.js";

export interface AdminParts {
  readonly place: ListenPlace;
  readonly hosts: readonly string[];
  readonly sources: FrameSources;
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
  const site = new DashboardSite(new Frames(sources), sources.ws);
  return new AdminServer({ place, hosts, log, health, exposition: makeExposition(METRICS, sources), site });
}
