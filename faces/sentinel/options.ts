/** The options of --sentinel. */
import { formatHost } from "../../daemon/net/process/host-and-port.js";
import { fail } from "../../daemon/net/process/service.js";
import { row, type ValuesOf } from "../../daemon/options/option-row.js";
import { parseServiceAddress } from "../../daemon/options/peer-address.js";
import type { Settings } from "../../daemon/options/settings.js";
import { listenAddress, plainForm, textForm } from "../../daemon/options/value-forms.js";
import type { ServiceAddress } from "../../protocol/members/service-address.js";

export const SENTINEL_OPTIONS = {
  /** The address for clients of sentinels, or null if there is none. */
  sentinel: row({
    clients: "sentinel",
    flags: "--sentinel <address>",
    help: "answer Redis clients as a Redis Sentinel on a port of 127.0.0.1 (such as 26379), or on address:port: name a daemon that accepts writes, the same one on all connected daemons",
    form: listenAddress,
    fallback: null,
    reload: "restart",
    example: "26379",
    needs: ["resp"],
    after: "mongo",
  }),
  /** The name of the master, or null for any name. */
  sentinelName: row({
    flags: "--sentinel-name <name>",
    help: "the only name of the master that the sentinel knows; default: any name, and mymaster in lists",
    form: plainForm(parseName),
    fallback: null,
    reload: "restart",
    example: "mymaster",
    needs: ["sentinel"],
    after: "announceSentinel",
  }),
  /** The address at which clients reach --sentinel, or null for the address on which it listens. */
  announceSentinel: row({
    flags: "--announce-sentinel <host:port>",
    help: "address at which clients reach --sentinel, for the lists of the other daemons' sentinels; default: as for --announce",
    form: textForm<ServiceAddress>(parseServiceAddress, formatHost),
    fallback: null,
    reload: "restart",
    example: "redis1.example:26379",
    needs: ["sentinel"],
    after: "announce",
  }),
} as const;

declare module "../../daemon/options/option-row.js" {
  interface FaceSettings extends ValuesOf<typeof SENTINEL_OPTIONS> {}
  interface UserListeners extends Pick<ValuesOf<typeof SENTINEL_OPTIONS>, "sentinel"> {}
}

/** The longest name of a master, in bytes. */
export const NAME_BYTES_MAX = 128;

/** Parses the name of a master. Messages separate it by spaces, so it contains none. @throws RangeError */
function parseName(value: string): string {
  if (value.length > NAME_BYTES_MAX || !/^[!-~]+$/.test(value))
    throw new RangeError(`Expected 1 to ${NAME_BYTES_MAX} printable ASCII characters without spaces.`);
  return value;
}

/**
 * Checks the combination of the options: --sentinel needs a daemon that serves Redis clients, and its other options
 * need --sentinel.
 * @throws StartError
 */
export function checkSentinelOptions(settings: Settings): void {
  const { sentinel, sentinelName, announceSentinel, resp, peers } = settings;
  if (sentinel !== null) {
    if (resp === null && peers.length === 0)
      fail("--sentinel names daemons that serve Redis clients: add --resp, or --peer, or leave it out.");
    return;
  }
  if (sentinelName !== null) fail("--sentinel-name is for clients of --sentinel: add it, or leave this out.");
  if (announceSentinel !== null)
    fail("--announce-sentinel is the address of --sentinel for clients: add --sentinel, or leave it out.");
}
