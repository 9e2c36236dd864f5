/** The options of --sql. */
import { fail } from "../../daemon/net/process/service.js";
import { row, type ValuesOf } from "../../daemon/options/option-row.js";
import type { Settings } from "../../daemon/options/settings.js";
import { choice, listenAddressOr } from "../../daemon/options/value-forms.js";

/** The default port: that of the original SQL server, so that its clients need no change. */
const SQL_PORT = "3948";

export const SQL_OPTIONS = {
  sql: row({
    clients: "SQL",
    flags: "--sql [address]",
    help: `serve the SQL line protocol on a port of 127.0.0.1 (default: ${SQL_PORT}), or on address:port`,
    form: listenAddressOr(SQL_PORT),
    fallback: null,
    reload: "restart",
    example: SQL_PORT,
    after: "json",
  }),
  /** The language of --sql's confirmations, or null for the language of each statement; mg is Malagasy. */
  sqlLanguage: row({
    flags: "--sql-language <language>",
    help: "language of --sql's confirmations: mg, Malagasy, or en, English (default: that of the statement)",
    form: choice(["mg", "en"]),
    fallback: null,
    reload: "restart",
    example: "en",
    needs: ["sql"],
    after: "mongo",
  }),
} as const;

declare module "../../daemon/options/option-row.js" {
  interface FaceSettings extends ValuesOf<typeof SQL_OPTIONS> {}
  interface UserListeners extends Pick<ValuesOf<typeof SQL_OPTIONS>, "sql"> {}
}

/** Checks the option that needs --sql, with an error that names the remedy. @throws StartError */
export function checkSqlOptions({ sql, sqlLanguage }: Settings): void {
  if (sqlLanguage !== null && sql === null)
    fail("--sql-language is for the confirmations of --sql: add --sql, or leave it out.");
}
