/** The messages for executed statements and for logins, in the original's language or in English. */
import { type ByteString, bytesOfText } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import { languageOf } from "./store/grammar/parse.js";
import type { Statement } from "./store/grammar/syntax-tree.js";

/** A value of --sql-language. */
export type SqlLanguage = "mg" | "en";

/** Matches the Malagasy word for the request that sets the number of rows per page. */
const MALAGASY_REQUEST = /^\s*pejy\b/i;

/** Returns the language of a statement or of another request. The answer has the same language. */
export function languageOfRequest(text: ByteString): SqlLanguage {
  return languageOf(text) === "malagasy" || MALAGASY_REQUEST.test(text) ? "mg" : "en";
}

const OBJECTS = { table: "tabilao", domain: "efitra", view: "jery", database: "tahiry" } as const;

/** Returns the message for a statement other than a query. */
export function doneText(statement: Statement, reply: Reply, language: SqlLanguage): ByteString {
  switch (statement.kind) {
    case "use":
      return language === "en"
        ? `database ${statement.name} is chosen`
        : `Ny tahiry : ${statement.name} dia miasa ankehitriny`;
    case "create-database":
    case "create-table":
    case "create-domain":
    case "create-view": {
      const object = statement.kind.slice("create-".length) as keyof typeof OBJECTS;
      return language === "en"
        ? `${object} ${statement.name} ${statement.ifNeeded === true ? "exists" : "is made"}`
        : `Ny ${OBJECTS[object]} : ${statement.name} dia voaforona soamantsara`;
    }
    case "insert":
    case "update":
    case "delete":
      return language === "en" ? rowsText(reply) : "Tafinditra ny fiovana ny tabilao";
    default:
      return "";
  }
}

function rowsText(reply: Reply): ByteString {
  const rows = Number(reply.kind === "integer" ? reply.value : 0);
  return rows === 1 ? "1 row" : `${rows} rows`;
}

interface Message {
  readonly mg: ByteString;
  readonly en: ByteString;
}

const message = (mg: string, en: string): Message => ({ mg: bytesOfText(mg), en: bytesOfText(en) });

export const MESSAGES = {
  loggedIn: message("Tafiditra ianao", "logged in"),
  pages: message("Voaova ny haben'ny pejy", "the number of rows per page was changed"),
  noLogin: message("Midira aloha : login anarana tenimiafina", "log in first: login name password"),
  wrongLogin: message("Diso ny anarana na ny tenimiafina", "wrong name or password"),
  noPermission: message("Tsy mahazo manao izany ianao", "this user has no permission to do that"),
  noMemory: message("Feno ny fitadidiana", "memory is full"),
  tooLong: message("Lava loatra ny fanontaniana", "the statement is longer than this server accepts"),
  budgetExceeded: message(
    "Lava loatra ny valiny : ampiasao #fetra",
    "the answer would be too long: use limit",
  ),
} as const satisfies Readonly<Record<string, Message>>;
