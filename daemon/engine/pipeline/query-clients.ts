/**
 * The clients that wait for the answer to one envelope. If all of them have disconnected, an envelope of queries ends,
 * and a later copy of it runs again: queries change nothing. Any other envelope runs to its end, because a later copy
 * must receive the answer of the first one.
 */
import type { Envelope } from "../../../protocol/version-2/envelope.js";
import { commandTable } from "../../store/command-table.js";
import type { UnitClient } from "../../store/keyspace/unit.js";

export class QueryClients implements UnitClient {
  readonly #clients: UnitClient[];
  readonly #envelope: Pick<Envelope, "commands">;
  /** Whether all commands are queries, or null if they have not been looked up yet. Each step needs the result. */
  #areQueries: boolean | null = null;
  #isAbandoned = false;

  constructor(client: UnitClient, envelope: Pick<Envelope, "commands">) {
    this.#clients = [client];
    this.#envelope = envelope;
  }

  /** Whether the queries end. Once this was reported, it remains so. */
  get isGone(): boolean {
    this.#isAbandoned ||= this.#clients.every(({ isGone }) => isGone) && this.#hasOnlyQueries();
    return this.#isAbandoned;
  }

  #hasOnlyQueries(): boolean {
    this.#areQueries ??= this.#envelope.commands.every((argv) => {
      const command = commandTable.resolve(argv);
      return "isQuery" in command && command.isQuery;
    });
    return this.#areQueries;
  }

  /** Adds the clients of another copy. @returns false if the queries have ended */
  join(copy: QueryClients): boolean {
    if (this.#isAbandoned) return false;
    for (const client of copy.#clients) this.#clients.push(client);
    return true;
  }
}
