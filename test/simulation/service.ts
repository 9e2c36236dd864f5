/**
 * Checks after the faults that daemons with equal data also serve clients: each daemon accepts a write and reports when
 * the write is final, and all daemons agree.
 */
import type { Wait } from "../../protocol/version-2/messages-v2.js";
import { randomBytes, shortId } from "./cast.js";
import { partlyOrphaned } from "./checks.js";
import { decidedMsMax } from "./contention.js";
import { restartFailed } from "./faults.js";
import { type SimulatedKey, sign } from "./signatures.js";
import { noteStable } from "./stable-promises.js";
import { keyIn } from "./unverifiable.js";
import type { Host, World } from "./world.js";

/** Milliseconds after which all clocks have passed a watermark that a clock some seconds ahead has raised. */
const SETTLED_MS = 9_000;
/** Milliseconds after which members have forgotten earlier readings of each other's clocks. */
const SETTLED_CLOCKS_MS = 22_000;
const ANSWERED_MS = 2_000;
/** Milliseconds, in addition to the window, until watermarks have passed a write and all members have reported. */
const STABLE_MS = 12_000;
/** Maximum window, in milliseconds, with which the check waits until writes are final. */
const PAST_MS_MAX = 5_000;

/** Checks that daemons serve. @returns the writes that daemons refuse or do not answer */
export async function checkService(world: World, healedAt: number): Promise<string[]> {
  const { scheduler, settings, honest: hosts } = world;
  const key = usableKey(world);
  // A clock that was a day ahead has permanently raised its daemon's watermark by a day.
  if (key === null || settings.faults.has("clock-day")) return [];
  const settledMs = settings.faults.has("clock-step") ? SETTLED_CLOCKS_MS : SETTLED_MS;
  await scheduler.runUntil(healedAt + settledMs);
  if (restartFull(hosts)) await scheduler.runUntil(scheduler.time + settledMs);
  if (addLostKeys(world, key)) await scheduler.runUntil(scheduler.time + settledMs);
  const refusals = await askAll(world, key);
  // A daemon that has just caught up may learn only now that its disk was full: restart it and check all daemons again.
  if (!restartFull(hosts)) return refusals;
  await scheduler.runUntil(scheduler.time + settledMs);
  return await askAll(world, key);
}

/**
 * Adds the keys whose entries faults destroyed again, as docs/consistency.md tells administrators to do. Only then can
 * all daemons verify the entries that these keys signed.
 * @returns whether a key was added
 */
function addLostKeys(world: World, key: SimulatedKey): boolean {
  const { random, genesis, ledger, honest: hosts, trace } = world;
  const signers = new Set(partlyOrphaned(world).map(({ envelope }) => envelope.key));
  const commands = [...ledger.sent.values()]
    .flatMap(({ entry }) => entry.envelope.commands)
    .filter((argv) => signers.delete(keyIn(argv) ?? ""));
  if (commands.length === 0 || !genesis.roots.includes(key)) return false;
  const header = { cluster: genesis.cluster, nonce: randomBytes(random, 16), at: middleClock(hosts), seq: 0 };
  const entry = sign(key, header, commands);
  trace("world", () => `${commands.length} lost keys are added again`);
  ledger.sent.set(entry.id, { entry, isRead: false, outcomes: [] });
  for (const host of hosts) host.send(entry, undefined, () => {});
  return true;
}

/** Restarts daemons that report the full disk late, after space was freed. @returns whether a daemon was restarted */
function restartFull(hosts: readonly Host[]): boolean {
  let hasRestarted = false;
  for (const host of hosts) if (restartFailed(host)) hasRestarted = true;
  return hasRestarted;
}

/** Sends a write to each daemon. @returns the writes that they refuse or do not answer */
async function askAll(world: World, key: SimulatedKey): Promise<string[]> {
  const { scheduler, settings, honest: hosts } = world;
  // Nothing becomes final without every member, or while members cannot verify entries that other members have.
  const isFinalAwaited =
    settings.window.past <= PAST_MS_MAX && settings.byzantine === null && partlyOrphaned(world).length === 0;
  const answers = new Map(hosts.map((host) => [host, "no answer"]));
  for (const host of hosts)
    probe(world, host, { key, isFinalAwaited, answered: (text) => answers.set(host, text) });
  let patience = isFinalAwaited ? settings.window.past + STABLE_MS : ANSWERED_MS;
  await scheduler.runUntil(scheduler.time + patience);

  // No date becomes final while a member has voted and the decision is not made.
  const isDecisionAwaited = isFinalAwaited && settings.patterns > 0;
  if (isDecisionAwaited && [...answers.values()].includes("no answer")) {
    await scheduler.runUntil(scheduler.time + decidedMsMax(settings));
    patience += decidedMsMax(settings);
  }

  return [...answers]
    .filter(([, text]) => text !== "result")
    .map(([{ name }, text]) => `${name} does not serve ${patience} ms after a write: ${text}`);
}

function probe(
  world: World,
  host: Host,
  {
    key,
    isFinalAwaited,
    answered,
  }: { key: SimulatedKey; isFinalAwaited: boolean; answered: (text: string) => void },
): void {
  const { random, genesis, ledger, honest: hosts } = world;
  const header = { cluster: genesis.cluster, nonce: randomBytes(random, 16) };
  const at = middleClock(hosts);
  const entry = sign(key, { ...header, at, seq: 0 }, [["INCR", "probe"]]);
  ledger.sent.set(entry.id, { entry, isRead: false, outcomes: [{ host: host.name, kind: "unknown" }] });
  const wait: Wait | undefined = isFinalAwaited ? { kind: "stable" } : undefined;
  host.send(entry, wait, (answer) => {
    answered(
      answer.kind === "refused" ? `${shortId(entry.id)} ${answer.code}, ${answer.detail}` : answer.kind,
    );
    if (answer.kind !== "result") return;
    ledger.acknowledged.set(entry.id, host.name);
    if (isFinalAwaited) noteStable(world, host, at);
  });
}

/**
 * Returns the median clock of the hosts, as corrected clients use it. All clocks may be ahead because of one entry that
 * was dated ahead.
 */
function middleClock(hosts: readonly Host[]): number {
  const clocks = hosts.map((host) => host.clock()).sort((a, b) => a - b);
  return clocks[(clocks.length - 1) >> 1] as number;
}

/** Returns one of the run's first keys that may still write. */
function usableKey({ genesis, honest: hosts }: World): SimulatedKey | null {
  const ring = hosts[0]?.daemon?.timeline.ring;
  const mayWrite = ({ id }: SimulatedKey) => {
    const record = ring?.find(id);
    return record !== undefined && record.revokedAt === null && record.acl.isUnlimited;
  };
  return [...genesis.roots, ...genesis.applications].find(mayWrite) ?? null;
}
