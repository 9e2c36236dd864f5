/** What the log is told of writes that are carried from server to server, in the earlier balancer's words beside fields. */
import type { Logger } from "pino";
import { textOfBytes } from "../../protocol/byte-string.js";
import { statementKind } from "../routing/statement-kind.js";
import type { BalancedServer } from "../servers/balanced-server.js";
import type { UpstreamOutcome } from "../upstream/outcome.js";
import type { JournalEntry } from "./journal-state.js";

const SHOWN_CHARS = 100;

export class ReplicationLog {
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** @returns what the write is about, in one word */
  carried({ id }: BalancedServer, { n, session, statement }: JournalEntry): string {
    const kind = statementKind(statement);
    const tables = kind.kind === "write" && kind.reach.kind === "tables" ? [...kind.reach.names].join() : "";
    this.#log.debug({ server: id, n }, `Répliqué: ${textOfBytes(statement.slice(0, SHOWN_CHARS))}`);
    return `${session.database}|${tables}`;
  }

  failed({ id }: BalancedServer, { n }: JournalEntry, outcome: UpstreamOutcome): void {
    const reason =
      outcome.kind === "failed" ? outcome.why : textOfBytes(outcome.frame.bytes.slice(0, SHOWN_CHARS));
    this.#log.warn({ server: id, n, reason }, `Erreur réplication sur ${id}`);
  }

  caughtUp({ id }: BalancedServer, writes: number): void {
    if (writes > 0) this.#log.info({ server: id, writes }, `Répliqué: ${id} holds all writes again`);
  }

  broken(reason: string): void {
    this.#log.fatal(
      { reason },
      "the journal cannot be written: no write is taken any more; mend the disk, and start again",
    );
  }

  diverged({ id }: BalancedServer, reason: string): void {
    this.#log.error({ server: id, reason }, `Erreur réplication sur ${id}: it is left alone from now on`);
  }
}
