/**
 * Two honest daemons whose own limits differ, and the connections of a pinned member that pushes any entries to both:
 * also entries that no honest daemon would have accepted from the client that signed them.
 */
import assert from "node:assert/strict";
import { until } from "../../support/until.js";
import { Client } from "./client.js";
import { type Envelope, envelope } from "./envelope.js";
import { type Key, makeKey } from "./key.js";
import { Member } from "./member.js";
import { Victims } from "./victims.js";
import { textOf, type Value } from "./wire.js";

/** Limits of the second daemon, which it applies to the commands of its own clients. */
const LOW_LIMITS = [
  ...["--max-request-bytes", "64KiB", "--max-unit-steps", "10000", "--max-read-steps", "10000"],
  ...["--max-read-bytes", "64KiB", "--max-tail-bytes", "1MiB"],
];

export class PushedEntries implements AsyncDisposable {
  readonly victims: Victims;
  /** The key of the member, which an administrator has authorized. */
  readonly daemonKey: Key;
  readonly #members: readonly Member[];

  private constructor(victims: Victims, daemonKey: Key, members: readonly Member[]) {
    this.victims = victims;
    this.daemonKey = daemonKey;
    this.#members = members;
  }

  static async start(): Promise<PushedEntries> {
    const key = makeKey();
    const args = (index: number) => (index === 0 ? [] : LOW_LIMITS);
    const victims = await Victims.start(2, { peers: "pinned", others: [key], args });
    const members: Member[] = [];
    try {
      for (const index of [0, 1]) members.push(await Member.join(victims.port(index), { key }));
      for (const member of members) member.claim((received) => ({ ...received, state: "live" }));
      await victims.allLive();
      using root = await victims.client(0, victims.root);
      await root.text("CLUSTER", "ADD", key.pem);
    } catch (problem) {
      for (const member of members) member[Symbol.dispose]();
      await victims[Symbol.asyncDispose]();
      throw problem;
    }
    return new PushedEntries(victims, key, members);
  }

  /**
   * Pushes an entry to both daemons, and asserts that both treat it in the same way.
   * @param later  a valid entry that is pushed after it: when the daemons have it, they store the entry or never will
   * @returns the outcome and the reply of its first unit, or "refused" if the daemons do not store it
   */
  async outcomeOf(entry: Envelope, later = this.laterThan(entry)): Promise<string> {
    this.push([entry]);
    this.push([later]);
    const ports = [0, 1].map((index) => this.victims.port(index));
    const outcomes = ports.map((port) => outcomeAt(port, this.victims.root, entry, later));
    const [first, second] = await Promise.all(outcomes);
    assert.equal(second, first, "the daemons treat the same entry in different ways");
    return first as string;
  }

  /** Pushes entries to both daemons. */
  push(entries: readonly Envelope[]): void {
    for (const member of this.#members) member.push(entries.map(({ entry }) => entry));
  }

  /** Returns a valid entry that follows another one. */
  laterThan({ at }: Envelope): Envelope {
    const { application, cluster } = this.victims;
    return envelope(application, cluster, [["INCR", "pushed"]], { at: at + 1 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const member of this.#members) member[Symbol.dispose]();
    await this.victims[Symbol.asyncDispose]();
  }
}

/**
 * Returns the outcome and the reply of an entry's first unit at a daemon, or "refused" if the daemon does not store it.
 * @param root   a key that may read the log
 * @param later  an entry that the daemon stores after it
 */
export async function outcomeAt(
  port: number,
  root: Key,
  { id, at }: Envelope,
  later: Envelope,
): Promise<string> {
  const outcomes = await outcomesAt(port, root, at, later);
  return outcomes.get(id.toString("hex")) ?? "refused";
}

/**
 * Waits for an entry at a daemon.
 * @returns the outcome and the reply of the first unit of each entry from a date on, by the entry's id
 */
export async function outcomesAt(
  port: number,
  root: Key,
  from: number,
  awaited: Envelope,
): Promise<ReadonlyMap<string, string>> {
  using client = await Client.open(port, root);
  let outcomes = new Map<string, string>();
  await until("the daemon has applied the entry", async () => {
    const { replies, refused } = await client.ask([
      ["TIMELINE", "LOG", "FROM", String(from), "LIMIT", "10000"],
    ]);
    assert.equal(refused, null);
    const units = (fieldsOf(replies[0]).get("units") as readonly Value[]).map(fieldsOf);
    const textIn = (unit: ReadonlyMap<string, Value>, name: string) => textOf(unit.get(name));
    outcomes = new Map(
      units
        .filter((unit) => textIn(unit, "index") === "0")
        .map((unit) => [textIn(unit, "id"), `${textIn(unit, "outcome")} ${textIn(unit, "reply")}`]),
    );
    return outcomes.has(awaited.id.toString("hex"));
  });
  return outcomes;
}

/** Returns the names and values of a map, which RESP2 writes as an array. */
function fieldsOf(value: Value | undefined): ReadonlyMap<string, Value> {
  const items = value as readonly Value[];
  const pairs = items.flatMap((name, i) =>
    i % 2 === 0 ? [[textOf(name), items[i + 1] as Value] as const] : [],
  );
  return new Map(pairs);
}
