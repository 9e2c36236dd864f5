/**
 * Random cases of calls to scripted daemons, with every way in which a call can end, and the check of what the client
 * reported against what the daemons did.
 */
import assert from "node:assert/strict";
import { seed } from "../../support/seed.js";
import { SeededRandom } from "../../support/seeded-random.js";
import { COMMAND_STEPS, type DaemonScript, HELLO_STEPS, ScriptedDaemon } from "./scripted-daemon.js";

const DAEMONS_MAX = 4;
/** The timeout of the calls, in seconds. It is short, because calls to hung daemons last as long. */
const TIMEOUT_S = [0.15, 0.3] as const;
/** The size of a command that no operating system buffers completely. */
const LONG_BYTES = 8 << 20;

export type Policy = "usual" | "first" | "majority" | "all" | "all-equal" | 1;

/** One client with its calls, which are made at the same time. */
export interface Case {
  readonly number: number;
  readonly scripts: readonly DaemonScript[];
  readonly policy: Policy;
  /** Whether the calls have a condition. */
  readonly isConditional: boolean;
  readonly calls: readonly { readonly key: string; readonly timeout: number; readonly bytes: number }[];
  /** The number of events of the daemons after which the client is closed while it waits, or null. */
  readonly closeAfter: number | null;
  /** Whether the client's program exits after the calls, instead of making another call and closing the client. */
  readonly exits: boolean;
}

/** A client's report on a call. `outcomes` is the effect on each daemon by its address, if the client reports it. */
export interface Ended {
  readonly effect: "applied" | "not-applied" | "unknown";
  readonly outcomes: readonly { readonly address: string; readonly effect: Ended["effect"] }[];
  readonly text: string;
}

/** A client of one case. */
export interface CaseClient {
  /** Makes the calls. `null` is the end of a call that was not reported. */
  call(): readonly Promise<Ended | null>[];
  /** Closes the client while its calls are in flight. */
  close(): void;
  /** Makes another call, which every daemon receives after what is still queued for it, and closes the client. */
  finish(): Promise<void>;
  /** Ends the client's program as at the end of a script. */
  exit(): Promise<void>;
}

export interface Kind {
  readonly name: string;
  /** The properties of cases that this kind of client does not support. */
  readonly lacks: {
    readonly conditions?: true;
    readonly close?: true;
    readonly version1?: true;
    readonly tls?: true;
  };
  open(case_: Case, addresses: readonly string[]): Promise<CaseClient>;
}

export function makeCase(kind: Kind, number: number): Case {
  const random = new SeededRandom(seed(), number);
  const { lacks } = kind;
  const scripts = Array.from({ length: random.between(1, DAEMONS_MAX) }, () => makeScript(random, kind));
  const calls = Array.from({ length: random.chance(0.3) ? random.between(2, 3) : 1 }, (_, index) => ({
    key: `k${number}.${index}`,
    timeout: random.oneOf(TIMEOUT_S),
    bytes: scripts.some(({ stopsReading }) => stopsReading) ? LONG_BYTES : 1,
  }));
  return {
    number,
    scripts,
    policy: random.oneOf(["usual", "first", "majority", "all", "all-equal", 1]),
    isConditional: !lacks.conditions && random.chance(0.4),
    calls,
    closeAfter: !lacks.close && random.chance(0.3) ? random.below(8) : null,
    exits: random.chance(0.2),
  };
}

function makeScript(random: SeededRandom, { lacks }: Kind): DaemonScript {
  const steps = <Step>(all: readonly Step[], usual: Step) =>
    Array.from({ length: random.between(1, 2) }, () => (random.chance(0.4) ? usual : random.oneOf(all)));
  return {
    listens: random.chance(0.8),
    version: !lacks.version1 && random.chance(0.2) ? 1 : 2,
    isTlsExpected: !lacks.tls && random.chance(0.1),
    hellos: random.chance(0.7) ? ["answer"] : steps(HELLO_STEPS, "answer"),
    commands: steps(COMMAND_STEPS, "answer"),
    stopsReading: random.chance(0.05),
  };
}

/** Runs a case. @throws AssertionError  a report contradicts what the daemons did */
export async function runCase(kind: Kind, number: number): Promise<void> {
  const case_ = makeCase(kind, number);
  const daemons = await Promise.all(
    case_.scripts.map((script, index) => ScriptedDaemon.start(script, index + 1)),
  );
  try {
    const client = await kind.open(case_, daemons.map(addressOf));
    const ends = await callsOf(case_, client, daemons);
    if (case_.exits) await client.exit();
    await Promise.all(daemons.map((daemon) => daemon.release()));
    if (!case_.exits) await client.finish();
    await Promise.all(daemons.map((daemon) => daemon.untilIdle()));
    for (const [index, { key }] of case_.calls.entries()) check(key, ends[index] ?? null, daemons);
  } catch (problem) {
    throw new Error(`${kind.name}, case ${number}: ${JSON.stringify(case_)}\n${problem}`, { cause: problem });
  } finally {
    await Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
  }
}

/** Returns the address of a daemon for the client's list. */
const addressOf = ({ script, address }: ScriptedDaemon): string =>
  script.isTlsExpected ? `dbsyncs://${address}#sha256:${"0".repeat(64)}` : address;

async function callsOf(
  { closeAfter }: Case,
  client: CaseClient,
  daemons: readonly ScriptedDaemon[],
): Promise<(Ended | null)[]> {
  const calls = client.call();
  let isClosed = false;
  const closeIfDue = () => {
    const events = daemons.reduce((sum, daemon) => sum + daemon.events, 0);
    if (closeAfter === null || isClosed || events < closeAfter) return;
    isClosed = true;
    client.close();
  };
  for (const daemon of daemons) daemon.onEvent = closeIfDue;
  closeIfDue();
  const ends = await Promise.all(calls);
  for (const daemon of daemons) daemon.onEvent = () => {};
  return ends;
}

function check(key: string, end: Ended | null, daemons: readonly ScriptedDaemon[]): void {
  const counts = daemons.map(({ applied }) => applied.get(key) ?? 0);
  const told = `${key}: ${JSON.stringify(end)}; applied: ${counts}`;
  assert.ok(
    counts.every((count) => count <= 1),
    told,
  );
  if (end === null) return;
  const isApplied = counts.some((count) => count > 0);
  if (end.effect === "not-applied") assert.ok(!isApplied, told);
  if (end.effect === "applied") assert.ok(isApplied, told);
  for (const { address, effect } of end.outcomes) {
    const count = counts[daemons.findIndex((daemon) => address.includes(daemon.address))];
    if (effect !== "unknown") assert.equal(count === 1, effect === "applied", `${address}: ${told}`);
  }
}
