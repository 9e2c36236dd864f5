/** Creates the server of --admin. The daemon loads this module only with --admin. */
import type { Logger } from "pino";
import { foreignClient } from "../../daemon/net/connections/foreign-client.js";
import type { ListenAddress } from "../../daemon/net/process/host-and-port.js";
import { type FrameSources, Frames } from "./dashboard-frames.js";
import { DashboardSite } from "./dashboard-site.js";
import { isHealthy } from "./health.js";
import { AdminServer } from "./http/admin-server.js";
import { makeExposition } from "./http/exposition.js";
import { METRICS } from "./metric-table.js";

/** Creates the server, without starting it. */
export function makeAdmin(
  listenAddress: ListenAddress,
  hosts: readonly string[],
  sources: FrameSources,
  log: Logger,
): AdminServer {
  const health = () => {
    const details = sources.health();
    return { isHealthy: isHealthy(details), details };
  };
  const site = new DashboardSite(new Frames(sources), (problem) =>
    log.error({ err: problem }, "an event of --admin could not be created"),
  );
  const exposition = makeExposition(METRICS, sources);
  const foreign = (chunk: Buffer) => foreignClient(chunk, "http");
  return new AdminServer({ listenAddress, hosts, log, health, exposition, site, foreignClient: foreign });
}
