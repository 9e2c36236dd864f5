/** TIMELINE REPAIR: compares the Redis that mirrors the fold with the fold. Source: docs/protocol-v2.md "TIMELINE". */

import { custom, syntaxError } from "../../daemon/store/arguments/command-errors.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { integer, type Reply } from "../../protocol/reply.js";
import type { Mirror } from "./mirror.js";

/** @param argv  `TIMELINE REPAIR [TAKEOVER]`. @returns the number of the comparison. @throws CommandFailure */
export function repairMirror(argv: readonly ByteString[], mirror: Mirror | null): Reply {
  const [option, ...others] = argv.slice(2);
  if (others.length > 0 || (option !== undefined && option.toUpperCase() !== "TAKEOVER")) throw syntaxError();
  if (mirror === null) throw custom("ERR no Redis mirrors this daemon: it was started without -d redis");
  return integer(mirror.repair(option !== undefined));
}
