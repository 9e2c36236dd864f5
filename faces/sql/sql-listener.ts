/** The listener of --sql. */
import type { ByteString } from "../../protocol/byte-string.js";
import { UserListener, type UserListenerParts } from "../users/user-listener.js";
import { FULL_FRAME } from "./bytes/sql-frames.js";
import { SQL_LISTENER, SqlDialect } from "./sql-dialect.js";

export class SqlListener extends UserListener<ByteString> {
  constructor(parts: UserListenerParts) {
    const { sqlLanguage } = parts.daemon.settings;
    super(parts, {
      name: SQL_LISTENER,
      fullText: FULL_FRAME,
      makeServer: (host) => host,
      makeDialect: (host) => new SqlDialect(host, sqlLanguage),
    });
  }
}
