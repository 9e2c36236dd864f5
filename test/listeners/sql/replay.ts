/** The recorded conversations, step by step, with a server of the line protocol or what stands before one: frames are compared byte for byte. */
import assert from "node:assert/strict";
import { bytesOfText } from "../../../protocol/byte-string.js";
import { DIFFERENCES, EMPTIED_BEFORE, FRAMING } from "../../store/commands/relations/differences.js";
import { type Step, scenarios } from "../../store/commands/relations/transcript.js";
import { RawClient } from "../../support/raw-client.js";

export interface ReplayedStep extends Step {
  readonly scenario: string;
  /** From 0. */
  readonly number: number;
  /** Whom it is for: `server`, `lb`, `cache`, `cache_small`, or a server of these. */
  readonly at: string;
}

export interface Replayed {
  /** Where a step's connection goes. */
  port(step: ReplayedStep): number;
  /** The servers are to be empty now. */
  empty(): Promise<void>;
  /** It is about to be sent. */
  before?(step: ReplayedStep): void;
  /** It was answered. */
  after?(step: ReplayedStep): void;
}

const different = new Set(
  DIFFERENCES.flatMap(({ steps }) =>
    Object.entries(steps).flatMap(([name, numbers]) => numbers.map((number) => `${name} ${number}`)),
  ),
);

/** A text that does not end takes what follows for its own: such steps are left out. */
const isOpen = (statement: string) =>
  (statement.match(/'/g)?.length ?? 0) % 2 === 1 && !statement.includes('"');

/** @returns how many steps were compared */
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

/** The answer to one statement: up to its last line. */
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
