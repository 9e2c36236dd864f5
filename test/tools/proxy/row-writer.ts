/** Writes rows into one table and records which were acknowledged. */
import assert from "node:assert/strict";
import { BALANCER_ERROR } from "../../../faces/sql/bytes/sql-frames.js";
import { SqlLineClient } from "../../support/sql-line-client.js";

const DONE = "Tafinditra ny fiovana ny tabilao";

/** A client that writes row after row, and records the outcome of each. */
export class RowWriter {
  readonly acknowledged = new Set<number>();
  /** Rows whose outcome is unknown. */
  readonly unknown = new Set<number>();
  refusedInARow = 0;
  /** Whether the connection was lost. */
  isCutOff = false;
  refusedMost = 0;
  #next: number;

  constructor(first: number) {
    this.#next = first;
  }

  /** Writes the next row, or the previous one again if it was certainly not written. */
  async write(client: SqlLineClient): Promise<void> {
    const row = this.#next;
    const answer = await client.told(`manampia ao@ t (k) sanda (${row});`);

    if (answer === "") {
      this.#next++;
      this.unknown.add(row);
      this.isCutOff = true;
      return;
    }

    // The balancer sends this answer after it has waited in vain for servers to reconnect. The number of such answers
    // depends on how busy the machine is, so they are not counted as refusals.
    if (answer.startsWith("Hadisoana : LOADING ")) return;
    if (answer === BALANCER_ERROR) {
      this.refusedMost = Math.max(this.refusedMost, ++this.refusedInARow);
      return;
    }

    this.refusedInARow = 0;
    this.#next++;
    if (answer === DONE) this.acknowledged.add(row);
    else if (/it is not known whether the statement was executed$/.test(answer)) this.unknown.add(row);
    else assert.fail(answer);
  }
}

/** Returns the rows that a server holds, sorted, with duplicates. */
export async function rowsAt(port: number): Promise<number[]> {
  using client = await SqlLineClient.open(port);
  await client.told("ampiasao toko;");
  const answer = await client.ask("alaivo * ao@ t;");
  const pages = [...answer.matchAll(/"rows":(\[.*\])\}$/gm)];
  assert.ok(pages.length > 0, answer);
  return pages.flatMap(([, rows]) => (JSON.parse(rows as string) as [number][]).flat()).sort((a, b) => a - b);
}
