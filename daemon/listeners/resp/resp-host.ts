/** What a connection of the RESP listener is given. */
import { RespRequestParser } from "../../../protocol/resp-request-parser.js";
import type { ShortStrings } from "../../../protocol/short-strings.js";
import type { SocketHost } from "../connection-host.js";
import type { AnswerHost } from "./answer-writer.js";
import type { SessionHost } from "./session/session.js";

export const RESP_LISTENER = "resp";

export interface RespHost extends SocketHost, SessionHost, AnswerHost {
  /** Numbers connections. */
  nextId(): number;
  readonly strings: ShortStrings;
}

/** For one connection. */
export function parserFor({ limits, strings }: RespHost): RespRequestParser {
  return new RespRequestParser(
    { bulkBytes: limits.maxBulkBytes, requestBytes: limits.maxQueryBytes },
    strings,
  );
}
