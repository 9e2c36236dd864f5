/** The listener of --sql. */
import type { ByteString } from "../../protocol/byte-string.js";
import { FULL_FRAME } from "../../protocol/sql-frames.js";
import { UserListener, type UserListenerParts } from "../user-listener.js";
import { SQL_LISTENER, SqlDialect } from "./dialect.js";
import type { SqlLanguage } from "./words.js";

type SqlListenerParts = Omit<UserListenerParts, "daemon"> & {
  readonly daemon: { readonly settings: { readonly sqlLanguage: SqlLanguage } };
};

export class SqlListener extends UserListener<ByteString> {
  constructor(parts: SqlListenerParts) {
    const { sqlLanguage: language } = parts.daemon.settings;
    super(parts, {
      name: SQL_LISTENER,
      fullText: FULL_FRAME,
      dialects(host) {
        const whole = Object.assign(host, { language });
        return () => new SqlDialect(whole);
      },
    });
  }
}
