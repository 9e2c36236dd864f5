/** A connection's listening, with what it needs of the connection: a way between the answers, and an end with a reason. */

import { REFUSALS, type RefusalCode } from "../../engine/answers/refusals.js";
import type { UnitListener } from "../../engine/pipeline/units.js";
import type { ClientConnection } from "../../net/connections/client-connection.js";
import { writeFrame } from "../../protocol/frame.js";
import { error } from "../../protocol/reply.js";
import { writeRefused } from "../../protocol/version-2/messages-v2.js";
import type { ConnectionHost } from "./connection-host.js";
import { type LiveHost, LiveSession } from "./live-session.js";

/** What is used of a connection. */
export type LiveConnection = Pick<ClientConnection<Buffer>, "remote" | "push" | "drop" | "socket">;

/** Where nothing is told. */
export const NOBODY_LISTENS: UnitListener = {
  listen: ({ envelope }) => envelope.commands.map(() => NOTHING_TOLD),
};

export function liveSessionFor(
  live: LiveHost,
  host: ConnectionHost,
  connection: LiveConnection,
): LiveSession {
  const { pipeline, environment } = host;
  const close = (code: RefusalCode, detail: string) => {
    const { sentence } = REFUSALS[code];
    const words = writeRefused({ id: "", code, sentence, clock: environment.clock(), effect: "not-applied" });
    session.clear();
    connection.drop(code, detail, writeFrame(words, 2));
  };
  const session: LiveSession = new LiveSession({
    host: live,
    ring: () => pipeline.signers?.ring ?? null,
    clock: environment.clock,
    push: (frame) => {
      connection.push(frame);
      const lying = connection.socket.writableLength;
      if (lying > host.limits.maxEventBytes) close("events-not-taken", `${lying} bytes wait`);
    },
    close,
    soon: setImmediate,
  });
  return session;
}

const NOTHING_TOLD = error("ERR this daemon stands before databases that tell nothing by themselves");
