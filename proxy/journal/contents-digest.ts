/** A digest of what a write changes, as a server holds it: by it servers are compared, and what became of a write is found out. */
import { createHash } from "node:crypto";
import type { ByteString } from "../../protocol/byte-string.js";
import { statementKind } from "../routing/statement-kind.js";
import { isNotReady } from "../servers/not-ready.js";
import type { UpstreamServer } from "../upstream/server.js";
import type { UpstreamSession } from "../upstream/session.js";

const LISTS = ["asehoy ny tahiry", "asehoy ny tabilao", "asehoy ny efitra", "asehoy ny jery"];

/** The tables whose rows a write changes; none: it changes what the database consists of. */
function tablesOf(statement: ByteString): readonly ByteString[] {
  const kind = statementKind(statement);
  return kind.kind === "write" && kind.reach.kind === "tables" ? [...kind.reach.names] : [];
}

/** @returns null: the server did not answer */
export async function contentsDigest(
  server: UpstreamServer,
  session: UpstreamSession,
  statement: ByteString,
): Promise<string | null> {
  const hash = createHash("sha256");
  const tables = tablesOf(statement).map((name) => `alaivo * ao@ ${name}`);
  for (const query of tables.length === 0 ? LISTS : tables) {
    const outcome = await server.ask(session, query);
    // Another error, such as of a table that is not there, is what it holds.
    if (outcome.kind === "failed" || isNotReady(outcome)) return null;
    // Names are told in any order.
    const { bytes } = outcome.frame;
    hash.update(
      tables.length === 0
        ? bytes
            .split(/[[\],]/)
            .sort()
            .join()
        : bytes,
      "latin1",
    );
  }
  return hash.digest("hex");
}
