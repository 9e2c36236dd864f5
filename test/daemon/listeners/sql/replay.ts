/** What the original was recorded to answer over its line protocol, asked of a server of ours. */
import assert from "node:assert/strict";
import { bytesOfText } from "../../../../protocol/byte-string.js";
import { DIFFERENCES, EMPTIED_BEFORE, FRAMING } from "../../../store/commands/relations/differences.js";
import { scenarios } from "../../../store/commands/relations/transcript.js";
import { RawClient } from "../../../support/raw-client.js";

const different = new Set(
  DIFFERENCES.flatMap(({ steps }) =>
    Object.entries(steps).flatMap(([name, numbers]) => numbers.map((number) => `${name} ${number}`)),
  ),
);

/** A text that does not end takes what follows for its own: such steps are sent on connections that end behind them. */
const isOpen = (statement: string) =>
  (statement.match(/'/g)?.length ?? 0) % 2 === 1 && !statement.includes('"');

/** Rows in an order of their own, where it means nothing. */
function unordered(answer: string, statement: string): string {
  if (!/asehoy|vondrona/i.test(statement)) return answer;
  return answer.replace(
    /"rows":\[(.*)\]\}/g,
    (_, rows: string) =>
      `"rows":${rows
        .split("],[")
        .map((row) => row.replace(/^\[|\]$/g, ""))
        .sort()}`,
  );
}

/**
 * Plays all that was recorded, and compares the frames byte for byte.
 * @param emptied  empties the server, or starts another one; where it is then
 * @returns how many were compared
 */
export async function replay(port: number, emptied: () => Promise<number>): Promise<number> {
  let at = port;
  const clients = new Map<string, RawClient>();
  let compared = 0;
  try {
    for (const { name, steps } of scenarios) {
      if (name === EMPTIED_BEFORE) at = await emptied();
      if (FRAMING.has(name)) continue;
      for (const [number, { send, expect, conn = "", target = "" }] of steps.entries()) {
        if (send === undefined || expect === undefined || isOpen(send)) continue;
        const which = `${name} ${conn} ${target}`;
        const client = clients.get(which) ?? (await RawClient.open(at));
        clients.set(which, client);
        const answer = await whole(client, send);
        if (different.has(`${name} ${number}`)) continue;
        compared++;
        assert.equal(
          unordered(answer, send),
          unordered(bytesOfText(expect), send),
          `${name} ${number}: ${send}`,
        );
      }
    }
    return compared;
  } finally {
    for (const client of clients.values()) client[Symbol.dispose]();
  }
}

/** The answer to one statement: up to its last line. */
async function whole(client: RawClient, statement: string): Promise<string> {
  client.send(bytesOfText(statement));
  let answer = "";
  while (!answer.endsWith("\nEND\n")) {
    const more = await client.read(1);
    assert.notEqual(more, "", `closed: ${statement}`);
    answer += more + (await client.read(client.received.length));
  }
  return answer;
}
