/**
 * Creates a data folder like that of a daemon that ran for days with --retain and was stopped. It uses the daemon's
 * classes directly.
 */
import "../support/installed-families.js";
import { pino } from "pino";
import { openStorage } from "../../daemon/cluster/node/cluster-node.js";
import { snapshotFolder } from "../../daemon/engine/trust/data-folder.js";
import { recordGenesis } from "../../daemon/engine/trust/genesis.js";
import { hashOf } from "../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../daemon/engine/trust/load-signers.js";
import type { Settings } from "../../daemon/options/settings.js";
import { DATABASES_DEFAULT } from "../../daemon/store/database.js";
import type { Entry } from "../../daemon/timeline/entries/entry.js";
import { makeSnapshotInTurns } from "../../daemon/timeline/snapshots/make-snapshot.js";
import { SnapshotFiles } from "../../daemon/timeline/snapshots/snapshot-stores.js";
import { Timeline } from "../../daemon/timeline/timeline.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { readBody, signedBytes } from "../../protocol/version-2/envelope.js";
import { double } from "../support/double.js";
import { type KeyPair, signCommands } from "../support/envelope-client.js";
import { nextTurn, until } from "../support/until.js";

const MINUTE_MS = 60_000;
const WINDOW = { past: 30_000, future: 5000 };
/** The number of entries between two snapshots. */
const EVERY = 50;

export interface Past {
  /** The keys that the daemon is started with. */
  readonly keys: Pick<Settings, "signKey" | "rootKey" | "clusterName">;
  /** Milliseconds for which the daemon retains entries. */
  readonly retainMs: number;
  readonly entries: readonly Entry[];
}

/** Signs one entry per command, one minute apart. The last entry is dated `until`. */
export function signPast(
  pair: KeyPair,
  keys: Past["keys"],
  { until, commands }: { readonly until: number; readonly commands: readonly (readonly ByteString[])[] },
): Entry[] {
  const { cluster } = loadSigners(keys, SILENT);
  return commands.map((command, i) => {
    const at = until - (commands.length - 1 - i) * MINUTE_MS;
    const { body, signature } = signCommands(pair, [command], { cluster, at });
    return { id: hashOf(signedBytes(body)), body, signature, envelope: readBody(body) };
  });
}

/** Creates the folder. Some of the first entries are contained only in a snapshot. */
export async function makePastFolder(folder: string, { keys, retainMs, entries }: Past): Promise<void> {
  const signers = loadSigners(keys, SILENT);
  const storage = await openStorage(double<Settings>({ data: folder, fsync: "always" }), SILENT);
  await recordGenesis(storage, signers.genesis);
  const snapshots = new SnapshotFiles(snapshotFolder(folder));
  const parts = { storage, snapshots, genesis: signers.makeRing, databases: DATABASES_DEFAULT, hash: hashOf };

  let now = entries[0]?.envelope.at ?? 0;
  const time = { soon: (step: () => void) => void setImmediate(step), uptime: () => performance.now() };
  const timeline = new Timeline({
    ...parts,
    ...time,
    window: WINDOW,
    log: SILENT,
    clock: () => now,
    limits: {
      tailMs: 2 * MINUTE_MS,
      tailBytes: 1e9,
      unitSteps: 1e6,
      retainMs,
      retainBytes: Number.POSITIVE_INFINITY,
    },
    snapshots: {
      snapshots,
      every: EVERY,
      retainMs,
      make: (from, to) => makeSnapshotInTurns({ ...parts, from, to }, time),
    },
    refusesRing: () => null,
    openReplacedData: null,
    openDeadLetters: null,
    openDamagedEntries: null,
    isAlone: () => false,
    isJoining: () => false,
    handlers: { storing: () => [], flushed: () => {}, folded: () => {}, failed: () => {} },
  });

  await timeline.open();
  for (const entry of entries) {
    now = entry.envelope.at;
    const result = timeline.accept(entry);
    if (result.kind !== "accepted") throw new Error(`the timeline does not accept an entry: ${result.kind}`);
    await result.flushed;
    tick(timeline);
  }

  await until("the timeline is pruned", () => timeline.prunedTo >= 0, {
    pause: async () => {
      tick(timeline);
      await nextTurn();
    },
  });
  await timeline.stop();
}

/** Simulates members that have confirmed all snapshots. */
function tick(timeline: Timeline): void {
  for (const { at } of timeline.handover.cuts) timeline.handover.certify(at);
  timeline.tick();
}

const SILENT = pino({ level: "silent" });
