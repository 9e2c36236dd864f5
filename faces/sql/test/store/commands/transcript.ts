/** Recorded conversations with the original SQL server, and their statements. */
import "../../../../../test/support/all-families.js";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Database } from "../../../../../daemon/store/database.js";
import { bytesOfText, textOfBytes } from "../../../../../protocol/byte-string.js";
import type { Reply } from "../../../../../protocol/reply.js";
import { repositoryRoot } from "../../../../../test/support/repository.js";

export interface Step {
  readonly send?: string;
  readonly expect?: string;
  readonly conn?: string;
  readonly target?: string;
  /** Milliseconds to wait before this step. */
  readonly wait_ms?: number;
  /** Whether the server received the statement. It is false if a cache replied. */
  readonly forwarded?: boolean;
}

interface Scenario {
  readonly name: string;
  readonly target?: string;
  readonly steps: readonly Step[];
}

export const scenarios: readonly Scenario[] = JSON.parse(
  readFileSync(join(repositoryRoot, "test/vectors/sql/transcripts.json"), "utf8"),
) as Scenario[];

/** A relation, an error's text, or success without rows. */
export type Outcome =
  | { readonly kind: "rows"; readonly name: string; readonly columns: unknown; readonly rows: unknown[] }
  | { readonly kind: "error"; readonly text: string }
  | { readonly kind: "done" };

/** Returns the outcome in a recorded reply of one frame. */
export function outcomeOfFrames(frames: string): Outcome {
  const error = /^RESULT_MESSAGE\n(?:Hadisoana : |(?=Erreur ))([\s\S]*)\nEND\n$/.exec(frames);
  if (error !== null) return { kind: "error", text: (error[1] as string).replace(/\n/g, " ") };
  const pages = [...frames.matchAll(/^RELATION_JSON_PAGE .*\n(.*)$/gm)].map(
    ([, page]) => JSON.parse(page as string) as { name: string; columns: unknown; rows: unknown[] },
  );
  const [first] = pages;
  if (first === undefined) return { kind: "done" };
  return { kind: "rows", name: first.name, columns: first.columns, rows: pages.flatMap(({ rows }) => rows) };
}

/** Returns the outcome in a reply of the store. */
export function outcomeOfReply(reply: Reply): Outcome {
  if (reply.kind === "error") return { kind: "error", text: textOfBytes(reply.text.replace(/^ERR /, "")) };
  if (reply.kind !== "map") return { kind: "done" };
  const [, name, , columns, , rows] = reply.items.map(plain);
  return {
    kind: "rows",
    name: String(name),
    columns: (columns as unknown[][]).map(([each, origin]) => ({ name: each, origin })),
    rows: rows as unknown[],
  };
}

function plain(reply: Reply): unknown {
  switch (reply.kind) {
    case "bulk":
      return textOfBytes(reply.bytes);
    case "double":
      return reply.value;
    case "resp3":
      return reply.written === "#t\r\n";
    case "array":
      return reply.items.map(plain);
    default:
      return null;
  }
}

/** A server with connections, each with the database that it has selected. */
export class Server {
  readonly #database = new Database();
  readonly #chosen = new Map<string, string>();
  #units = 0;

  send(statement: string, connection = ""): Reply {
    const database = this.#chosen.get(connection) ?? "";
    const unit = { at: 1_000_000, db: 0, id: `unit ${this.#units++}` };
    const reply = this.#database.execute(["SQL", database, bytesOfText(statement)], unit);
    const [, use] = /^ampiasao (\w+)$/i.exec(statement) ?? [];
    if (use !== undefined && reply.kind === "status") this.#chosen.set(connection, use);
    return reply;
  }
}
