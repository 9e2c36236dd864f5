/** Makes what --admin serves. The daemon loads this with --admin only, and prom-client comes with it. */
import type { Logger } from "pino";
import { loadWith } from "../../serving/process/optional-package.js";
import type { ListenPlace } from "../options/place.js";
import type { Sources } from "./metric-row.js";
import { AdminServer } from "./server.js";

export interface AdminParts {
  readonly place: ListenPlace;
  readonly hosts: readonly string[];
  readonly sources: Sources;
  readonly log: Logger;
}

/** Not started yet. @throws StartError  prom-client is not installed */
export async function makeAdmin({ place, hosts, sources, log }: AdminParts): Promise<AdminServer> {
  const { makeExposition } = await loadWith("prom-client", "--admin", () => import("./exposition.js"));
  return new AdminServer({ place, hosts, log, health: sources.health, exposition: makeExposition(sources) });
}
