/** A digest of what a write changes, as a server holds it: by it servers are compared, and what became of a write is found out. */
import { createHash, type Hash } from "node:crypto";
import type { ByteString } from "../../protocol/byte-string.js";
import { statementKind } from "../routing/statement-kind.js";
import { isNotReady } from "../servers/not-ready.js";
import type { UpstreamServer } from "../upstream/server.js";
import type { UpstreamSession } from "../upstream/session.js";

const TABLES = "asehoy ny tabilao";
const LISTS = ["asehoy ny tahiry", TABLES, "asehoy ny efitra", "asehoy ny jery"];
/** A row of one name, in a list. */
const NAME = /\["([^"\\]+)"\]/g;

/** @returns null: the server did not answer */
export async function contentsDigest(
  server: UpstreamServer,
  session: UpstreamSession,
  statement: ByteString,
): Promise<string | null> {
  const ask = async (query: ByteString) => {
    const outcome = await server.ask(session, query);
    // Another error, such as of a table that is not there, is what it holds.
    return outcome.kind === "failed" || isNotReady(outcome) ? null : outcome.frame.bytes;
  };
  const kind = statementKind(statement);
  const hash = createHash("sha256");
  if (kind.kind === "write" && kind.reach.kind === "tables")
    return (await addRows(hash, kind.reach.names, ask)) ? hash.digest("hex") : null;
  // Of a write that is no statement to us it is not known what it changes: rows, perhaps.
  const mayChangeRows = kind.kind === "write" && kind.object === null;
  for (const list of LISTS) {
    const bytes = await ask(list);
    if (bytes === null) return null;
    // Names are told in any order.
    const names = [...bytes.matchAll(NAME)].map(([, name]) => name as ByteString).sort();
    hash.update(
      bytes
        .split(/[[\],]/)
        .sort()
        .join(),
      "latin1",
    );
    if (mayChangeRows && list === TABLES && !(await addRows(hash, names, ask))) return null;
  }
  return hash.digest("hex");
}

/** @returns whether the server answered */
async function addRows(
  hash: Hash,
  tables: Iterable<ByteString>,
  ask: (query: ByteString) => Promise<ByteString | null>,
): Promise<boolean> {
  for (const table of tables) {
    const bytes = await ask(`alaivo * ao@ ${table}`);
    if (bytes === null) return false;
    hash.update(bytes, "latin1");
  }
  return true;
}
