/**
 * Implements WAIT, which counts the other daemons that have the connection's last write on disk. The error texts are
 * those of redis-server 7.0.
 */

import { waitArguments } from "../../../daemon/store/commands/timeout-arguments.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { integer, type Reply, ZERO } from "../../../protocol/reply.js";
import type { RespSession, SessionHandler } from "../session/resp-session.js";
import { UNBLOCKED } from "../session/run-blocking-command.js";

export const replicaWaitHandlers: readonly (readonly [string, SessionHandler])[] = [["WAIT", wait]];

/** `WAIT numreplicas milliseconds` */
function wait(session: RespSession, argv: readonly ByteString[]): Reply | Promise<Reply> {
  const { replicas, milliseconds } = waitArguments(argv);
  const { copies } = session.server.daemon;
  if (copies === null || copies.isAlone) return ZERO;
  const { orderKey } = session.lastWrite;
  const count = copies.count(orderKey);
  if (count >= replicas || session.isExecuting) return integer(count);
  return new Promise((resolve) => {
    let failure: Reply | null = null;
    const end = copies.wait({ orderKey, wanted: replicas, milliseconds }, () => {
      session.waiting = null;
      resolve(failure ?? integer(copies.count(orderKey)));
    });
    session.waiting = (outcome) => {
      if (outcome === "error") failure = UNBLOCKED;
      end();
      return true;
    };
  });
}
