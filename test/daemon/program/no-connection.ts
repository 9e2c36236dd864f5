/** An imitation of a connection, for sessions that push no messages. */
import { Socket } from "node:net";
import type { ClientConnection } from "../../../daemon/net/connections/client-connection.js";
import { double } from "../../support/double.js";

export const NOWHERE = double<ClientConnection<Buffer>>({
  remote: "test",
  push() {},
  drop() {},
  socket: new Socket(),
});
