/**
 * Creates the client library's client from the daemon's options at the start, so that wrong or missing options are
 * reported before any command is sent.
 */
import type { Logger } from "pino";
import { ForwardingClient } from "../../client/forwarding-client.js";
import { DbsyncError, type SendOptions } from "../../client/public-api.js";
import { StartError } from "../../daemon/net/process/service.js";
import type { SidecarSpecification } from "../../daemon/options/database-list.js";
import type { Settings } from "../../daemon/options/settings.js";
import { boundedTimeout } from "./signing-backend.js";

/** The daemon's flags by the client library's option names. */
const FLAGS: Readonly<Record<string, string>> = {
  servers: "-d dbsync",
  policy: "--policy",
  cluster: "--cluster",
  ca: "--ca",
};

/** @throws StartError  the list of servers or the key cannot be used */
export function openForwardingClient(
  { servers }: SidecarSpecification,
  settings: Settings,
  log: Logger,
): ForwardingClient {
  const { key, policy, cluster, ca, limits } = settings;
  const options: SendOptions & { readonly servers: string } = {
    servers,
    versions: "2",
    key: key ?? "",
    timeout: boundedTimeout(limits.backendTimeout),
    ...(cluster === null ? {} : { cluster }),
    ...(ca === null ? {} : { ca }),
    ...(policy === null ? {} : { policy }),
  };
  try {
    const { carrier, fingerprint } = ForwardingClient.open(options, (warning) => log.warn(warning));
    const known = cluster === null ? {} : { cluster };
    log.info({ servers, fingerprint, policy, ...known }, "signing for the daemons");
    return carrier;
  } catch (problem) {
    if (!(problem instanceof DbsyncError)) throw problem;
    throw new StartError(sentenceOf(problem), problem.code === "bad-key" ? 1 : 2);
  }
}

/** Returns the message with the client library's option names replaced by the daemon's flags. */
function sentenceOf({ code, message }: DbsyncError): string {
  if (code === "bad-key")
    return `--key: ${message.replace(/\.?$/, ".")} The daemons must know its public key (-s, or dbsync keys add).`;
  return message.replace(/^.*?: (\w+) is/, (all, name: string) => `${FLAGS[name] ?? all} is`);
}
