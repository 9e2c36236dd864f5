/** Snapshots of a simulated daemon: on its disk, made some time after they were asked for; a crash leaves half of one. */
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { DATABASES_DEFAULT } from "../../store/database.js";
import { dateOf, firstPlaceAt } from "../../timeline/entry.js";
import { makeSnapshot } from "../../timeline/make-snapshot.js";
import type { SnapshotParts } from "../../timeline/snapshot-making.js";
import { ringOf, sha256 } from "./cast.js";
import type { SimulatedStorage } from "./disk.js";
import { unverifiablePlaces } from "./unverifiable.js";
import type { Host, World } from "./world.js";

const MAKING_MS_MOST = 800;
const SYNCING_MS_MOST = 50;

/** null: this run makes none. */
export function snapshotParts(
  host: Host,
  world: World,
  { storage, isAlive }: { storage: SimulatedStorage; isAlive: () => boolean },
): SnapshotParts | null {
  const { scheduler, settings, genesis, random, ledger } = world;
  if (settings.snapshotEvery === 0) return null;
  const { snapshots: files, contents: filesContents, replaced } = host.disk;
  // A crash has left them half replaced.
  for (const [date, restore] of replaced) {
    restore();
    replaced.delete(date);
  }
  const snapshots: SnapshotParts["snapshots"] = {
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
    size: (date) => files.get(date)?.reduce((bytes, { length }) => bytes + length, 0) ?? null,
    stage: (date) => {
      const chunks: Buffer[] = [];
      return {
        ...{ cutAt: date, room: Number.POSITIVE_INFINITY },
        write: (chunk) => void chunks.push(Buffer.from(chunk)),
        read: () => chunks,
        commit: () =>
          new Promise((resolve) => {
            scheduler.after(random.below(SYNCING_MS_MOST), host.processor, () => {
              if (!isAlive()) return;
              const [file, places] = [files.get(date), filesContents.get(date)];
              if (file !== undefined && places !== undefined)
                replaced.set(date, () => {
                  files.set(date, file);
                  filesContents.set(date, places);
                });
              files.set(date, chunks);
              const contents = ledger.contents.get(sealOf(chunks)) ?? new Set();
              // What it is not made of goes now, or has gone before; others may let it go for the same reason.
              const pruned = Number(host.disk.marks.get("pruned")?.toString() ?? -1);
              const isBelow = (place: ByteString, at: number) => dateOf(Buffer.from(place, "latin1")) <= at;
              for (const place of [...host.disk.held(), ...host.disk.missed])
                if (isBelow(place, Math.max(date, pruned)) && !contents.has(place)) ledger.lost.add(place);
              // So does what was signed with keys that go with that.
              const kept = host.disk.places().filter((p) => !isBelow(p, date) && !host.disk.rotten.has(p));
              for (const place of unverifiablePlaces(kept, contents, world)) ledger.lost.add(place);
              host.disk.contents.set(date, contents);
              host.disk.hasTaken = true;
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
      // A worker of its own, which reads what is on disk when it gets to it.
      scheduler.after(random.below(MAKING_MS_MOST), host.processor, () => {
        if (!isAlive()) return;
        scheduler.settles = true;
        try {
          makeSnapshot({
            ...{ storage, snapshots, from, to, databases: DATABASES_DEFAULT },
            hash: sha256,
            genesis: () => ringOf(genesis),
          });
          const contents = new Set([
            ...(from === null ? [] : (host.disk.contents.get(from) ?? [])),
            ...[...storage.places(firstPlaceAt((from ?? -1) + 1), firstPlaceAt(to + 1))].map((place) =>
              bytesOf(place),
            ),
          ]);
          host.disk.contents.set(to, contents);
          ledger.contents.set(sealOf(files.get(to) ?? []), contents);
          resolve();
        } catch (problem) {
          reject(problem as Error);
        }
      });
    });
  return { snapshots, make, every: snapshotEvery, retainMs: settings.retainMs };
}

/** What it ends with stands for the whole. */
const sealOf = (chunks: readonly Buffer[]): ByteString =>
  bytesOf(Buffer.concat(chunks.slice(-2)).subarray(-32));
