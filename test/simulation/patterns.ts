/**
 * Administrators that announce and remove patterns of decided keys, clients that write keys with and without a pattern
 * through daemons and by envelopes that request no decision, and what must hold in the end: no acknowledged write is
 * void, no envelope takes effect twice, and each acknowledged answer is that of the reference at the unit's position.
 * Source: docs/decisions/0081-decided-keys.md.
 */
import { type LastWrite, newLastWrite } from "../../daemon/engine/backends/command-path.js";
import {
  compareOrderKeys,
  type Entry,
  orderKeyOf,
  writeOrderKey,
} from "../../daemon/timeline/entries/entry.js";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { unitId } from "../../protocol/version-2/unit-names.js";
import { SeededRandom } from "../support/seeded-random.js";
import { shortId } from "./cast.js";
import { Client, KeyChest } from "./clients.js";
import { type Outcomes, shownPlaced } from "./decisions.js";
import type { NaiveState } from "./naive-fold.js";
import type { SimulatedKey } from "./signatures.js";
import type { Host, World } from "./world.js";

type Argv = readonly ByteString[];

/** The patterns: of the keys of these clients, of some of them, and of keys of the run's other clients. */
export const GLOBS: readonly ByteString[] = ["decided:*", "decided:a:*", "decided:b:*", "t*", "n*"];
/** The share of orders among what is drawn, and of orders that announce a pattern. */
const ORDERS = 0.08;
const ANNOUNCEMENTS = 0.7;
/** Milliseconds between two announcements of the run's favourite pattern, which may be refused without a list. */
const ANNOUNCED_EVERY_MS = 2_000;
const KEYS = 2;
/** Milliseconds between two times at which an administrator adds the keys of all daemons. */
const AUTHORIZED_EVERY_MS = 8_000;
/** The share of writes through a daemon's own port. */
const UNSIGNED = 0.4;

export class PatternWork {
  readonly #world: World;
  readonly #key: SimulatedKey;
  /** Its own generator, so that its draws do not change the rest of the run. */
  readonly #random: SeededRandom;
  readonly #client: Client;
  #values = 0;

  constructor(world: World, seed: number, key: SimulatedKey) {
    this.#world = world;
    this.#key = key;
    this.#random = new SeededRandom(seed, 14);
    this.#client = new Client(world, "c90", new KeyChest());
  }

  /** Lets administrators and clients act while the run's faults happen. */
  sow(): void {
    const { scheduler, settings } = this.#world;
    const random = this.#random;
    const favourite = random.oneOf(GLOBS);
    for (let at = random.below(ANNOUNCED_EVERY_MS); at < settings.workMs; at += ANNOUNCED_EVERY_MS)
      scheduler.after(at, null, () => this.#announce(favourite));
    for (let at = 0; at < settings.workMs; at += AUTHORIZED_EVERY_MS)
      scheduler.after(at, null, () => this.#authorize());
    for (let left = settings.patterns; left > 0; left--)
      scheduler.after(random.below(settings.workMs), null, () =>
        random.chance(ORDERS) ? this.#order() : this.#write(),
      );
  }

  #order(): void {
    const random = this.#random;
    const db = random.chance(0.2) ? ["DB", String(random.below(2))] : [];
    const glob = random.oneOf(GLOBS);
    if (random.chance(ANNOUNCEMENTS)) this.#announce(glob, db);
    else this.#send(["CLUSTER", "UNDECIDE", glob, ...db]);
  }

  /** Adds the keys of all daemons, with which they sign for clients and begin patterns. */
  #authorize(): void {
    const { hosts, genesis } = this.#world;
    const commands = hosts.map(({ identity }) => [
      "CLUSTER",
      "ADD",
      Buffer.from(identity.spki, "latin1").toString("base64"),
    ]);
    this.#client.send(this.#random.oneOf(genesis.roots), commands);
  }

  #announce(glob: ByteString, db: Argv = []): void {
    this.#send(["CLUSTER", "DECIDE", glob, ...db, ...(this.#random.chance(0.5) ? ["PAIR"] : [])]);
  }

  #send(argv: Argv): void {
    const random = this.#random;
    this.#client.send(random.oneOf(this.#world.genesis.roots), [argv], { decide: random.chance(0.5) });
  }

  #write(): void {
    const random = this.#random;
    const { network, hosts } = this.#world;
    if (random.chance(UNSIGNED)) {
      const host = random.oneOf(hosts);
      const commands = Array.from({ length: random.oneOf([1, 1, 3]) }, () => this.#command());
      network.send("c90", host.name, () => this.#writeInTurn(host, commands));
      return;
    }
    const commands = Array.from({ length: random.oneOf([1, 1, 1, 2, 4]) }, () => this.#command());
    this.#client.send(this.#key, commands, { multi: random.chance(0.2) });
  }

  /** Sends commands on one connection of a daemon, each after the answer to the one before. */
  #writeInTurn(host: Host, [argv, ...later]: readonly Argv[], lastWrite: LastWrite = newLastWrite()): void {
    if (argv === undefined) return;
    const { orderKey: before } = lastWrite;
    const answered = () => {
      const { orderKey } = lastWrite;
      const isLater = before === null || orderKey === null || compareOrderKeys(orderKey, before) >= 0;
      if (!isLater && !host.isByzantine)
        this.#world.ledger.violate(`${host.name} places ${argv.join(" ")} before an earlier write`);
      this.#writeInTurn(host, later, lastWrite);
    };
    host.write(argv, answered, lastWrite);
  }

  #command(): Argv {
    const random = this.#random;
    const of = (kind: string) =>
      `${random.oneOf(["decided:a:", "decided:a:", "decided:b:", "plain:"])}${kind}${random.below(KEYS)}`;
    const value = `w${++this.#values}`;
    return random.oneOf<Argv>([
      ["INCR", of("n")],
      ["INCR", of("n")],
      ["SET", of("x"), value, "NX"],
      ["SET", of("x"), value, "PX", String(random.oneOf([100, 3_000, 20_000]))],
      ["GETSET", of("x"), value],
      ["DEL", of("x")],
      ["RPUSH", of("l"), value],
      ["LPOP", of("l")],
      ["SADD", of("s"), value],
      ["SPOP", of("s")],
      ["HINCRBY", of("h"), "f", "1"],
      ["RENAME", of("x"), of("x")],
      ["COPY", of("x"), of("x"), "REPLACE"],
      ["LMOVE", of("l"), of("l"), "LEFT", "RIGHT"],
      ["XADD", of("y"), "*", "f", value],
    ]);
  }
}

/** Returns how the final state contradicts what clients were answered about decided keys. */
export function wrongOnDecidedKeys(
  { ledger, settings }: Pick<World, "ledger" | "settings">,
  entries: readonly Entry[],
  { units }: Pick<NaiveState, "units">,
  outcomes: Outcomes,
): string[] {
  if (settings.patterns === 0) return [];

  const problems: string[] = [];
  const { ids } = outcomes;
  const unitsOf = ({ id, envelope }: Entry) =>
    envelope.commands.flatMap((_, index) => units.get(unitId(id, index)) ?? []);
  const keptOn = (id: ByteString) => ledger.decisions.on(id).filter((decision) => ids.has(decision.id));
  const isLost = (entry: Entry) =>
    !ids.has(entry.id) && outcomes.isLost(bytesOf(writeOrderKey(orderKeyOf(entry))));

  for (const entry of entries) {
    const { id } = entry;
    if (ledger.acknowledged.has(id) && unitsOf(entry).some(({ isUndecided }) => isUndecided))
      problems.push(`${shortId(id)} was acknowledged, but is void`);
    if (keptOn(id).length > 0 && unitsOf(entry).some(({ isVoid }) => !isVoid))
      problems.push(`${shortId(id)} takes effect twice`);
  }

  // An answer may depend on an entry that faults have destroyed since.
  const isComplete = ![...ledger.sent.values()].some(({ entry }) => isLost(entry));
  for (const [id, { texts, host }] of ledger.decisions.placed) {
    const kept = keptOn(id);
    if (kept.length === 0 && !ledger.decisions.on(id).some(isLost))
      problems.push(`${host} answered ${shortId(id)}, but no decision on it is in the final state`);

    for (const decision of isComplete ? kept : [])
      for (const [index, unit] of unitsOf(decision).entries()) {
        const expected = shownPlaced(unit.reply);
        if (unit.isOnDecidedKeys && !unit.isVoid && texts[index] !== expected)
          problems.push(
            `${host} answered unit ${index} of ${shortId(id)} with ${JSON.stringify(texts[index])} instead of ${JSON.stringify(expected)}`,
          );
      }
  }
  return problems;
}
