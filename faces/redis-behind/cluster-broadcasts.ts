/** The routes of commands without keys to the masters of a Redis Cluster, and how the masters' replies are combined. */
import type { BackendFailure, BackendOutcome } from "../../daemon/engine/backends/backend.js";
import { commands } from "../../daemon/store/command-table.js";
import type { Command, Tip } from "../../daemon/store/rows/command-row.js";
import { touchesOf } from "../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { array, bulk, error, integer, NIL, type Reply } from "../../protocol/reply.js";
import { numberIn, SLOTS, slotOf } from "./cluster-slots.js";
import { type Argv, addressText, type RedisLink } from "./redis-link.js";

/** @param masters  in the order of their slots, all up */
type Run = (masters: readonly RedisLink[], argv: Argv) => Promise<BackendOutcome>;

type BroadcastRule =
  | { readonly kind: "any" }
  /** `isBarrier` means that the command writes, so that later commands must wait for it. */
  | { readonly kind: "all"; readonly isBarrier: boolean; readonly run: Run }
  | { readonly kind: "refused"; readonly reason: string };

const ANY: BroadcastRule = { kind: "any" };

/** How the replies of all masters are combined, by the response policy of a command; without one, lists are joined. */
const MERGES: Partial<Readonly<Record<Tip, BroadcastRule>>> = {
  "response_policy:agg_sum": all(summed),
  "response_policy:agg_logical_and": all(minEach),
  "response_policy:all_succeeded": all(first, true),
};
const JOINED = all(joined);

/** Returns the route that follows from a row, or null if the command concerns a single server. */
function ruleOf({ name, group, keys, tips, since, anyMaster, connectionUse }: Command): BroadcastRule | null {
  if (anyMaster === false) return null;
  if (anyMaster === true || connectionUse === "changes") return ANY;
  const merge = tips.flatMap((tip) => MERGES[tip] ?? [])[0] ?? null;
  if (group === "scripting")
    return merge ?? (tips.some((tip) => tip.startsWith("request_policy:")) ? null : ANY);
  const isOfDatabase = since !== "" && touchesOf(keys, [name]).some(({ key }) => key === null);
  return isOfDatabase ? (merge ?? JOINED) : null;
}

/** Returns the routes by command name, or by command and subcommand if their routes differ. */
function makeRules(): ReadonlyMap<string, BroadcastRule> {
  return new Map([
    ...commands.flatMap((command) => {
      const rule = ruleOf(command);
      return rule === null ? [] : [[command.name, rule] as const];
    }),
    // It has no row, because its subcommands in Redis are not ours.
    ["CLUSTER", ANY],
    // Their response policies describe no merge.
    ["RANDOMKEY", { kind: "all", isBarrier: false, run: randomKey }],
    ["SCAN", { kind: "all", isBarrier: false, run: scan }],
  ]);
}

/** The routes; null before the first command, because they need code that the program installs at its start. */
let rules: ReadonlyMap<string, BroadcastRule> | null = null;

/**
 * Returns the route of a command without keys to the masters of a Redis Cluster, which follows from its row. Some
 * commands are sent to any master. Other commands are sent to all masters, and the replies are merged. The remaining
 * ones are refused, because they concern a single server.
 */
export function broadcastRuleOf([name = "", subcommand = ""]: Argv): BroadcastRule {
  const upper = name.toUpperCase();
  rules ??= makeRules();
  const rule = rules.get(upper) ?? rules.get(`${upper}|${subcommand.toUpperCase()}`);
  return rule ?? { kind: "refused", reason: `${upper} ${OF_ONE}` };
}

const OF_ONE =
  "names no key that selects a server of the cluster, and cannot be sent to all servers: connect to one server directly";

/**
 * Returns the route of a command that is sent to every master.
 * @param merge  combines the replies, none of which is an error
 */
function all(merge: (replies: readonly Reply[]) => Reply, isBarrier = false): BroadcastRule {
  return {
    kind: "all",
    isBarrier,
    run: async (masters, argv) => {
      const outcomes = await Promise.all(masters.map((link) => link.send(argv)));
      const trouble = troubleIn(outcomes);
      return trouble ?? merge(outcomes as Reply[]);
    },
  };
}

/**
 * Returns the first failure or error, or null if there is none. The outcome of the command is unknown if only some
 * masters failed, because the other masters may have executed it.
 */
function troubleIn(outcomes: readonly BackendOutcome[]): BackendOutcome | null {
  const failures = outcomes.filter((outcome) => outcome.kind === "failed");
  const isNothingDone =
    failures.length === outcomes.length && failures.every(({ effect }) => effect !== "unknown");
  const [failed] = failures as BackendFailure[];
  if (failed !== undefined)
    return isNothingDone ? failed : { ...failed, code: "database-lost", effect: "unknown" };
  return outcomes.find(({ kind }) => kind === "error") ?? null;
}

function first(replies: readonly Reply[]): Reply {
  return replies[0] as Reply;
}

function summed(replies: readonly Reply[]): Reply {
  return integer(replies.reduce((sum, reply) => sum + numberIn(reply), 0));
}

const itemsOf = (reply: Reply): readonly Reply[] => (reply.kind === "array" ? reply.items : []);

function joined(replies: readonly Reply[]): Reply {
  return array(replies.flatMap(itemsOf));
}

function minEach(replies: readonly Reply[]): Reply {
  const each = itemsOf(first(replies)).map((_, i) =>
    Math.min(...replies.map((one) => numberIn(itemsOf(one)[i]))),
  );
  return array(each.map(integer));
}

/**
 * Sends RANDOMKEY to a random master. The probability of a master is proportional to its number of keys, so that all
 * keys are equally likely.
 */
async function randomKey(masters: readonly RedisLink[], argv: Argv): Promise<BackendOutcome> {
  const sizes = await Promise.all(masters.map((link) => link.send(["DBSIZE"])));
  const trouble = troubleIn(sizes);
  if (trouble !== null) return trouble;
  const counts = sizes.map((size) => (size.kind === "integer" ? Number(size.value) : 0));
  let remaining = Math.random() * counts.reduce((sum, count) => sum + count, 0);
  const drawn = counts.findIndex((count) => (remaining -= count) < 0);
  return drawn === -1 ? NIL : await (masters[drawn] as RedisLink).send(argv);
}

/**
 * Scans the masters one after the other. A cursor combines a master's own cursor with the number of that master. If
 * another server has replaced the master, the cursor is an error, because continuing the scan there would skip keys.
 */
async function scan(masters: readonly RedisLink[], argv: Argv): Promise<BackendOutcome> {
  const cursor = argv[1] ?? "";
  if (!/^\d{1,20}$/.test(cursor)) return error("ERR invalid cursor");

  const own = BigInt(cursor) / NAMES;
  const name = Number(BigInt(cursor) % NAMES);
  const names = namesOf(masters);
  const index = BigInt(cursor) === 0n ? 0 : names.indexOf(name);
  const link = masters[index];
  if (link === undefined) return MASTER_GONE;

  const outcome = await link.send([argv[0] as ByteString, String(own), ...argv.slice(2)]);
  const [next, found] = outcome.kind === "array" ? outcome.items : [];
  if (next?.kind !== "bulk" || found === undefined) return outcome;

  const following = next.bytes === "0" ? index + 1 : index;
  const after = names[following];
  return scanned(after === undefined ? "0" : String(BigInt(next.bytes) * NAMES + BigInt(after)), found);
}

/** The factor that combines a master's cursor with its number (`namesOf`). It is greater than any such number. */
const NAMES = BigInt(SLOTS);
const MASTER_GONE = error(
  "ERR invalid cursor: the server of the cluster that issued it is no longer a master. Begin again with 0",
);

/**
 * Returns a unique number for each master, from 1 to 16383, which does not change while the master keeps its address.
 */
function namesOf(masters: readonly RedisLink[]): number[] {
  const names = new Map<string, number>();
  const taken = new Set<number>();
  for (const server of masters.map(({ address }) => addressText(address)).sort()) {
    let name = slotOf(server);
    while (name === 0 || taken.has(name)) name = (name + 1) % SLOTS;
    taken.add(name);
    names.set(server, name);
  }
  return masters.map(({ address }) => names.get(addressText(address)) as number);
}

const scanned = (cursor: string, found: Reply): Reply => array([bulk(cursor), found]);
