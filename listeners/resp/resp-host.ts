/** What a connection of the RESP listener is given. */
import { RespRequestParser } from "../../protocol/resp/resp-request-parser.js";
import type { ShortStrings } from "../../protocol/resp/short-strings.js";
import type { DaemonSocketHost } from "../daemon-listener.js";
import type { SessionHost } from "./session/session.js";
import type { SharedOutput } from "./shared-output.js";

export const RESP_LISTENER = "resp";

export interface RespHost extends DaemonSocketHost, SessionHost {
  /** Numbers connections. */
  nextId(): number;
  readonly strings: ShortStrings;
  readonly output: SharedOutput;
}

/** For one connection. */
export function parserFor({ limits, strings }: RespHost): RespRequestParser {
  return new RespRequestParser(
    { bulkBytes: limits.maxBulkBytes, requestBytes: limits.maxQueryBytes },
    strings,
  );
}
