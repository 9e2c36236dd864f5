/**
 * Replays recorded conversations with a server of the line protocol or a proxy to one, and compares frames byte for
 * byte.
 */
import assert from "node:assert/strict";
import { bytesOfText } from "../../../protocol/byte-string.js";
import { DIFFERENCES, EMPTIED_BEFORE, FRAMING } from "../../store/commands/relations/differences.js";
import { type Step, scenarios } from "../../store/commands/relations/transcript.js";
import { RawClient } from "../../support/raw-client.js";

export interface ReplayedStep extends Step {
  readonly scenario: string;
  /** The step's index, from 0. */
  readonly number: number;
  /** The recipient: `server`, `lb`, `cache`, `cache_small`, or a server of these. */
  readonly at: string;
}

export interface Replayed {
  /** Returns the port of a step's connection. */
  port(step: ReplayedStep): number;
  /** Empties the servers. */
  empty(): Promise<void>;
  /** Runs ahead of a step. */
  before?(step: ReplayedStep): void;
  /** Runs after a step's answer. */
  after?(step: ReplayedStep): void;
}

const different = new Set(
  DIFFERENCES.flatMap(({ steps }) =>
    Object.entries(steps).flatMap(([name, numbers]) => numbers.map((number) => `${name} ${number}`)),
  ),
);

/** Returns whether a text in a statement does not end: it would swallow what follows, so such steps are skipped. */
const isOpen = (statement: string) =>
  (statement.match(/'/g)?.length ?? 0) % 2 === 1 && !statement.includes('"');

/** Replays the steps. @returns how many were compared */
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
        const whole = { ...step, scenario, number, at: step.target ?? target };
        replayed.before?.(whole);
        const key = `${scenario} ${conn} ${step.target ?? ""}`;
        const client = clients.get(key) ?? (await RawClient.open(replayed.port(whole)));
        clients.set(key, client);
        const answer = await frameOf(client, send);
        replayed.after?.(whole);
        if (different.has(`${scenario} ${number}`)) continue;
        compared++;
        const due = unordered(bytesOfText(expect), send);
        assert.equal(unordered(answer, send), due, `${scenario} ${number}: ${send}`);
      }
    }
    return compared;
  } finally {
    for (const client of clients.values()) client[Symbol.dispose]();
  }
}

/** Sorts the rows where their order means nothing. */
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
