/** From the options to the client library, before anything is sent: what is missing is told at the start. */
import type { Logger } from "pino";
import { openClient } from "../../client/dbsync-send.js";
import { readDefaults } from "../../client/settings/defaults.js";
import { readOptions, type SendOptions } from "../../client/settings/options.js";
import { type Environment, realEnvironment } from "../../client/shared/environment.js";
import { DbsyncError } from "../../client/shared/errors.js";
import { StartError } from "../../net/process/start-error.js";
import type { SidecarSpecification } from "../../options/database-list.js";
import type { Settings } from "../../options/settings.js";
import { Carrier } from "./carrier.js";
import { boundedTimeout } from "./signing-backend.js";

/** What all clients have sent by now is read before any of it is signed: an envelope for many is far cheaper than one for each. */
const ENVIRONMENT: Environment = { ...realEnvironment, soon: (run) => void setImmediate(run) };

/** Neither variables nor dbsync.ini: a daemon has options. */
const NOTHING = { folder: "", home: "", system: "" };

/** By the client's name of an option how the daemon calls it. */
const FLAGS: Readonly<Record<string, string>> = {
  servers: "-d dbsync",
  policy: "--policy",
  cluster: "--cluster",
  ca: "--ca",
};

export interface CarrierParts {
  readonly specification: SidecarSpecification;
  readonly settings: Pick<Settings, "key" | "policy" | "cluster" | "ca" | "limits">;
  readonly log: Logger;
}

/** @throws StartError  a list of servers or a key that cannot be used */
export function openCarrier({ specification, settings, log }: CarrierParts): Carrier {
  const { servers } = specification;
  const { key, policy, cluster, ca, limits } = settings;
  const options: SendOptions = {
    servers,
    versions: "2",
    key: key ?? "",
    timeout: boundedTimeout(limits.backendTimeout),
    ...(cluster === null ? {} : { cluster }),
    ...(ca === null ? {} : { ca }),
    ...(policy === null ? {} : { policy }),
  };
  try {
    const read = readOptions(options, () =>
      readDefaults({ ...NOTHING, variables: { DBSYNC_SERVERS: servers } }),
    );
    const { client, key: signing } = openClient(read, (warning) => log.warn(warning), ENVIRONMENT, true);
    const known = cluster === null ? {} : { cluster };
    log.info({ servers, fingerprint: signing.fingerprint, policy, ...known }, "signing for the daemons");
    return new Carrier(client, read);
  } catch (problem) {
    if (!(problem instanceof DbsyncError)) throw problem;
    throw new StartError(sentenceOf(problem), problem.code === "bad-key" ? 1 : 2);
  }
}

/** With the daemon's names of options. */
function sentenceOf({ code, message }: DbsyncError): string {
  if (code === "bad-key")
    return `--key: ${message.replace(/\.?$/, ".")} The daemons have to know its public key (-s, or dbsync keys add).`;
  return message.replace(/^.*?: (\w+) is/, (all, name: string) => `${FLAGS[name] ?? all} is`);
}
