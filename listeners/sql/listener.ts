/** The listener of --sql. */

import { ClientConnection } from "../../net/connections/client-connection.js";
import { SharedInput } from "../../net/connections/shared-input.js";
import { FULL_FRAME } from "../../protocol/sql-frames.js";
import { DaemonListener } from "../daemon-listener.js";
import type { UserListenerParts } from "../user-listener.js";
import { SQL_LISTENER, SqlDialect } from "./dialect.js";
import type { SqlLanguage } from "./words.js";

type SqlListenerParts = Omit<UserListenerParts, "daemon"> & {
  readonly daemon: { readonly settings: { readonly sqlLanguage: SqlLanguage } };
};

export class SqlListener extends DaemonListener {
  constructor(parts: SqlListenerParts) {
    const { path, users, memory, daemon } = parts;
    super({
      ...parts,
      name: SQL_LISTENER,
      options: { address: "--sql", port: "--sql" },
      fullText: FULL_FRAME,
      connector(host) {
        const whole = Object.assign(host, { path, users, memory, language: daemon.settings.sqlLanguage });
        const input = new SharedInput();
        return (socket) => new ClientConnection(input.take(socket), whole, () => new SqlDialect(whole));
      },
    });
  }
}
