/**
 * Replays recorded conversations with a server of the line protocol, or a proxy in front of one, and compares frames
 * byte for byte.
 */
import assert from "node:assert/strict";
import { bytesOfText } from "../../../protocol/byte-string.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { DIFFERENCES, EMPTIED_BEFORE, FRAMING } from "./store/commands/differences.js";
import { type Step, scenarios } from "./store/commands/transcript.js";

export interface ReplayedStep extends Step {
  readonly scenario: string;
  /** The index of the step, from 0. */
  readonly number: number;
  /** The recipient: `server`, `lb`, `cache`, `cache_small`, or one of their servers. */
  readonly at: string;
}

export interface Replayed {
  /** Returns the port of a step's connection. */
  port(step: ReplayedStep): number;
  /** Empties the servers. */
  empty(): Promise<void>;
  /** Called before a step. */
  before?(step: ReplayedStep): void;
  /** Called after a step is answered. */
  after?(step: ReplayedStep): void;
}

const different = new Set(
  DIFFERENCES.flatMap(({ steps }) =>
    Object.entries(steps).flatMap(([name, numbers]) => numbers.map((number) => `${name} ${number}`)),
  ),
);

/** Returns whether a string in a statement is unterminated. It would include all later text, so the step is skipped. */
const isOpen = (statement: string) =>
  (statement.match(/'/g)?.length ?? 0) % 2 === 1 && !statement.includes('"');

/** Replays the steps. @returns the number of compared steps */
export async function replay(replayed: Replayed): Promise<number> {
  const clients = new Map<string, RawClient>();
  let compared = 0;
  try {
    for (const { name: scenario, target = "", steps } of scenarios) {
      if (scenario === EMPTIED_BEFORE) await replayed.empty();
      if (FRAMING.has(scenario)) continue;
      for (const [number, step] of steps.entries()) {
        const { send, expect, conn = "" } = step;
        if (send === undefined || expect === undefined || isOpen(send)) continue;
        const replayedStep = { ...step, scenario, number, at: step.target ?? target };
        replayed.before?.(replayedStep);
        const key = `${scenario} ${conn} ${step.target ?? ""}`;
        const client = clients.get(key) ?? (await RawClient.open(replayed.port(replayedStep)));
        clients.set(key, client);
        const answer = await frameOf(client, send);
        replayed.after?.(replayedStep);
        if (different.has(`${scenario} ${number}`)) continue;
        compared++;
        const expected = unordered(bytesOfText(expect), send);
        assert.equal(unordered(answer, send), expected, `${scenario} ${number}: ${send}`);
      }
    }
    return compared;
  } finally {
    for (const client of clients.values()) client[Symbol.dispose]();
  }
}

/** Sorts the rows if their order has no meaning. */
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

/** Returns the answer to one statement, up to its last line. */
async function frameOf(client: RawClient, statement: string): Promise<string> {
  client.send(bytesOfText(statement));
  let answer = "";
  while (!answer.endsWith("\nEND\n")) {
    const more = await client.read(1);
    assert.notEqual(more, "", `closed: ${statement}`);
    answer += more + (await client.read(client.received.length));
  }
  return answer;
}
