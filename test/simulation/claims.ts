/**
 * Clients that put elements into queues and take them, through daemons that sign for them. An element that a client
 * received must be gone in the end, and an element that no daemon has taken must be there. Source: docs/decisions/0066.
 * A byzantine daemon may withhold the entry that permits it to sign, so that its own later puts are denied: these
 * elements were never put.
 */
import type { GatewayAnswer } from "../../daemon/cluster/replica/waiting-group.js";
import type { Database } from "../../daemon/store/database.js";
import { List } from "../../daemon/store/values/list.js";
import { MemberSet } from "../../daemon/store/values/member-set.js";
import { SortedSet } from "../../daemon/store/values/sorted-set.js";
import type { Entry } from "../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { unitId } from "../../protocol/version-2/unit-names.js";
import { SeededRandom } from "../support/seeded-random.js";
import { Client, KeyChest } from "./clients.js";
import type { Ledger } from "./ledger.js";
import type { NaiveState } from "./naive-fold.js";
import type { Settings } from "./settings.js";
import type { World } from "./world.js";

type Argv = readonly ByteString[];

const [QUEUE, ACTIVE, SET, SORTED] = ["q:queue", "q:active", "q:set", "q:sorted"];
const KEYS = [QUEUE, ACTIVE, SET, SORTED];

/** Puts a new element into a queue. */
const PUTS: readonly ((element: ByteString) => Argv)[] = [
  (element) => ["RPUSH", QUEUE, element],
  (element) => ["LPUSH", QUEUE, element],
  (element) => ["SADD", SET, element],
  (element) => ["ZADD", SORTED, "1", element],
];
/** Take elements away. */
const TAKES: readonly Argv[] = [
  ["LPOP", QUEUE],
  ["RPOP", QUEUE, "2"],
  ["LPOP", ACTIVE],
  ["SPOP", SET],
  ["SPOP", SET, "2"],
  ["ZPOPMIN", SORTED],
  ["ZPOPMAX", SORTED, "2"],
];
const MOVE: Argv = ["LMOVE", QUEUE, ACTIVE, "LEFT", "RIGHT"];
/** Commands of other clients that may remove all keys. */
const CLEARS: readonly ByteString[] = ["FLUSHALL", "FLUSHDB", "SWAPDB"];
/** The names of elements, which no other command uses. */
const ELEMENT = /^element-\d+$/;

const PUT_SHARE = 0.6;
/** Milliseconds after which an administrator authorizes all daemons again: some have been wiped, or refused before. */
const AUTHORIZED_EVERY_MS = 3_000;

/** Lets clients put and take elements while the run's faults happen. */
export function sowClaims(world: World, seed: number): void {
  const { scheduler, settings, hosts, ledger } = world;
  if (settings.claims === 0) return;

  const random = new SeededRandom(seed, 6);
  const administrator = new Client(world, "c99", new KeyChest());
  const [root] = world.genesis.roots;
  for (let at = 0; root !== undefined && at < settings.workMs; at += AUTHORIZED_EVERY_MS)
    scheduler.after(at, null, () => {
      for (const { identity } of hosts) {
        const spki = Buffer.from(identity.spki, "latin1").toString("base64");
        administrator.send(root, [["CLUSTER", "ADD", spki]]);
      }
    });

  for (let number = 0; number < settings.claims; number++) {
    const isPut = random.chance(PUT_SHARE);
    const argv = isPut ? random.oneOf(PUTS)(`element-${number}`) : random.oneOf([...TAKES, MOVE]);
    // Several daemons may take the same element at the same time.
    const chosen = random.shuffled(hosts).slice(0, isPut ? 1 : random.between(1, 2));
    scheduler.after(random.below(settings.workMs), null, () => {
      for (const host of chosen) {
        if (isPut && host.isByzantine) ledger.putAtByzantine.add(argv.at(-1) as ByteString);
        host.write(argv, (answer) => {
          if (argv[0] !== MOVE[0] && !host.isByzantine)
            for (const given of elementsIn(answer))
              ledger.given.set(given, { key: argv[1] as string, host: host.name });
        });
      }
    });
  }
}

/** Returns the elements in a reply. */
function elementsIn(reply: GatewayAnswer): ByteString[] {
  if (reply.kind === "bulk") return ELEMENT.test(reply.bytes) ? [reply.bytes] : [];
  return "items" in reply ? reply.items.flatMap(elementsIn) : [];
}

/** Returns how the final state differs from what clients were told. @param entries  the final entries */
export function wrongClaims(
  { ledger, settings }: { readonly ledger: Ledger; readonly settings: Pick<Settings, "claims"> },
  entries: readonly Entry[],
  { database, units }: Pick<NaiveState, "database" | "units">,
): string[] {
  const calls = entries.flatMap(({ envelope }) => envelope.commands);
  const isCleared = calls.some(([name = ""]) => CLEARS.includes(name.toUpperCase()));
  if (settings.claims === 0 || ledger.lost.size > 0 || isCleared) return [];

  const left = new Map(KEYS.flatMap((key) => elementsOf(database, key).map((element) => [element, key])));
  const taken = new Set<ByteString>();
  for (const { envelope } of entries)
    for (const [index, choice] of envelope.choices ?? [])
      if (envelope.commands[index]?.[0] !== MOVE[0]) for (const element of choice) taken.add(element);

  const problems: string[] = [];
  for (const [element, { key, host }] of ledger.given) {
    // Another client may have moved the element at the same time.
    if (left.get(element) === key)
      problems.push(`${host} returned ${element} to a client, but it is still there`);
    if (!taken.has(element)) problems.push(`${host} returned ${element} to a client without recording it`);
  }

  for (const { id, envelope } of entries)
    for (const [index, argv] of envelope.commands.entries())
      for (const element of argv.filter((argument) => ELEMENT.test(argument))) {
        const isDenied = ledger.putAtByzantine.has(element) && units.get(unitId(id, index))?.isVoid === true;
        if (!left.has(element) && !taken.has(element) && !isDenied)
          problems.push(`no daemon took ${element}, but it is gone`);
      }
  return problems;
}

function elementsOf(database: Database, key: ByteString): readonly ByteString[] {
  const content = database.keyspaces[0]?.find(key)?.content;
  if (content instanceof List) return content.slice();
  if (content instanceof MemberSet) return content.members;
  return content instanceof SortedSet ? content.members : [];
}
