/**
 * Snapshots of a simulated daemon, on its disk. A snapshot is completed some time after the request. A crash before
 * that leaves a partial snapshot.
 */

import { DATABASES_DEFAULT } from "../../daemon/store/database.js";
import type { KeyRing } from "../../daemon/store/key-ring.js";
import { dateOf, firstOrderKeyBytes } from "../../daemon/timeline/entries/entry.js";
import { makeSnapshot } from "../../daemon/timeline/snapshots/make-snapshot.js";
import type { SnapshotParts } from "../../daemon/timeline/snapshots/snapshot-schedule.js";
import type { SnapshotSeal, SnapshotStore } from "../../daemon/timeline/snapshots/snapshot-stores.js";
import { SEAL_BYTES } from "../../daemon/timeline/snapshots/snapshot-stream.js";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { notAside } from "./asides.js";
import type { SimulatedStorage } from "./disk.js";
import { requireDeadLetters } from "./lists/simulated-dead-letters.js";
import { sha256 } from "./signatures.js";
import { unverifiableOrderKeys } from "./unverifiable.js";
import type { Host, World } from "./world.js";

const MAKING_MS_MAX = 800;
const SYNCING_MS_MAX = 50;

/** Returns a daemon's snapshots, or null if this run makes none. */
export function snapshotParts(
  host: Host,
  world: World,
  { storage, isAlive, ring }: { storage: SimulatedStorage; isAlive: () => boolean; ring: () => KeyRing },
): SnapshotParts | null {
  const { scheduler, settings, random, ledger } = world;
  if (settings.snapshotEvery === 0) return null;

  const { snapshots: files, contents: filesContents, replaced } = host.disk;
  // A crash interrupted the replacement of the snapshots in `replaced`.
  for (const [date, restore] of replaced) {
    restore();
    replaced.delete(date);
  }

  const snapshots: SnapshotStore = {
    list: () => [...files.keys()].sort((a, b) => a - b),
    read: (date) => files.get(date) ?? null,
    write: (date, chunks) => {
      if (isAlive())
        files.set(
          date,
          [...chunks].map((chunk) => Buffer.from(chunk)),
        );
    },
    remove: (date) => {
      if (isAlive()) files.delete(date);
    },
    sealOf: (date) => {
      const file = files.get(date);
      return file === undefined ? null : sealOf(file);
    },
    stage: (date) => {
      const chunks: Buffer[] = [];
      return {
        cutAt: date,
        room: Number.POSITIVE_INFINITY,
        write: (chunk) => void chunks.push(Buffer.from(chunk)),
        read: () => chunks,
        get seal() {
          return sealOf(chunks);
        },
        commit: () =>
          new Promise((resolve) => {
            scheduler.after(random.below(SYNCING_MS_MAX), host.processor, () => {
              if (!isAlive()) return;
              const loss = notAside(host.disk);
              if (loss !== null && !host.isByzantine)
                ledger.violate(`${host.name} accepts a snapshot and has not put aside ${loss}`);

              const [file, orderKeys] = [files.get(date), filesContents.get(date)];
              if (file !== undefined && orderKeys !== undefined)
                replaced.set(date, () => {
                  files.set(date, file);
                  filesContents.set(date, orderKeys);
                });
              files.set(date, chunks);

              const { seal } = sealOf(chunks);
              const honest = ledger.contents.get(seal);
              const contents = honest ?? ledger.badContents.get(seal) ?? new Set();
              if (honest === undefined && !host.isByzantine) {
                // A daemon that started empty and never served may accept a snapshot of its only peer, even if that
                // peer is byzantine, because no other data exists.
                if (world.honest.length > 1 || host.hasServed)
                  ledger.violate(`${host.name} accepts a snapshot of ${date} that no honest daemon has made`);
                ledger.isTainted = true;
              }

              // Entries that are not in the snapshot are dropped now or were dropped before; other members may drop
              // them for the same reason.
              const pruned = Number(host.disk.marks.get("pruned")?.toString() ?? -1);
              const isBelow = (orderKey: ByteString, at: number) =>
                dateOf(Buffer.from(orderKey, "latin1")) <= at;
              const dropped = [...host.disk.held(), ...host.disk.missed].filter(
                (orderKey) => isBelow(orderKey, Math.max(date, pruned)) && !contents.has(orderKey),
              );

              // Entries signed with keys that are dropped with them are dropped too.
              const kept = host.disk.orderKeys().filter((p) => !isBelow(p, date) && !host.disk.rotten.has(p));
              dropped.push(...unverifiableOrderKeys(kept, contents, world));
              for (const orderKey of dropped) ledger.lost.add(orderKey);
              if (settings.lists) requireDeadLetters(host, dropped, ledger);

              host.disk.contents.set(date, contents);
              host.disk.hasAcceptedSnapshot = true;
              ledger.snapshots++;
              scheduler.settles = true;
              resolve();
            });
          }),
        settle: () => void (isAlive() && replaced.delete(date)),
        discard: () => {},
      };
    },
  };

  const { snapshotEvery } = settings;
  const make = (from: number | null, to: number): Promise<void> =>
    new Promise((resolve, reject) => {
      // A separate worker makes the snapshot. It reads the disk when it runs.
      scheduler.after(random.below(MAKING_MS_MAX), host.processor, () => {
        if (!isAlive()) return;
        scheduler.settles = true;
        try {
          makeSnapshot({
            storage,
            snapshots,
            from,
            to,
            databases: DATABASES_DEFAULT,
            hash: sha256,
            genesis: ring,
          });

          const contents = new Set([
            ...(from === null ? [] : (host.disk.contents.get(from) ?? [])),
            ...[...storage.orderKeys(firstOrderKeyBytes((from ?? -1) + 1), firstOrderKeyBytes(to + 1))].map(
              (orderKey) => bytesOf(orderKey),
            ),
          ]);
          host.disk.contents.set(to, contents);

          const { seal } = sealOf(files.get(to) ?? []);
          if (host.isByzantine) {
            ledger.badContents.set(seal, contents);
            resolve();
            return;
          }
          const problem = ledger.sealed(to, seal, contents);
          if (problem !== null) ledger.violate(`${host.name}: ${problem}`);
          resolve();
        } catch (problem) {
          reject(problem as Error);
        }
      });
    });
  return { snapshots, make, every: snapshotEvery, retainMs: settings.retainMs };
}

/** Returns the seal, which identifies the complete snapshot. */
function sealOf(chunks: readonly Buffer[]): SnapshotSeal {
  const all = Buffer.concat(chunks);
  return { bytes: all.length, seal: bytesOf(all.subarray(-SEAL_BYTES)) };
}
