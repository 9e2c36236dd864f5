/** A timeline in memory with signed entries, and a history that reads it. */
import "../../../support/installed-families.js";
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { pino } from "pino";
import { TimelineCommands } from "../../../../daemon/cluster/history/timeline-commands.js";
import type { Recorder } from "../../../../daemon/cluster/replica/recorder.js";
import type { NodeState } from "../../../../daemon/cluster/replica/replica-context.js";
import { hashOf } from "../../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../../daemon/engine/trust/load-signers.js";
import { DiskSpace } from "../../../../daemon/net/process/disk.js";
import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import { commandTable } from "../../../../daemon/store/command-table.js";
import { DATABASES_DEFAULT, Database } from "../../../../daemon/store/database.js";
import type { Semantics } from "../../../../daemon/store/semantics.js";
import { DigestIndex } from "../../../../daemon/timeline/compare/digest-index.js";
import {
  type Entry,
  type OrderKey,
  orderKeyOf,
  writeOrderKey,
} from "../../../../daemon/timeline/entries/entry.js";
import { isRingEntry } from "../../../../daemon/timeline/entries/recorded-envelopes.js";
import { writeValue } from "../../../../daemon/timeline/entries/stored-value.js";
import { MemoryStorage } from "../../../../daemon/timeline/memory-storage.js";
import type { Snapshots } from "../../../../daemon/timeline/snapshots/snapshot-stores.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { noMessages } from "../../../../protocol/figures/message-figures.js";
import { membershipStateOf } from "../../../../protocol/members/member-list.js";
import type { Reply } from "../../../../protocol/reply.js";
import { type EnvelopeHeader, hexOf, readBody } from "../../../../protocol/version-2/envelope.js";
import { writeBackup } from "../../../../tools/backup/file/backup-file.js";
import { FrameWriter } from "../../../../tools/backup/file/backup-frames.js";
import { folded } from "../../../conformance/resp2-fold.js";
import { double } from "../../../support/double.js";
import { type KeyPair, makeKeyPair, signCommands } from "../../../support/envelope-client.js";

export const AT = 1_790_000_000_000;
/** The id of a daemon that the member list omits. */
export const LEFT_OUT: ByteString = "L".repeat(32);
export const NOW = AT + 3_600_000;

/** A reply as plain values: maps as objects, errors as their text. */
export type Plain = string | number | null | Plain[] | { [name: string]: Plain };

/** Snapshots in memory. */
export class MemorySnapshots implements Snapshots {
  readonly files = new Map<number, Buffer[]>();

  list(): number[] {
    return [...this.files.keys()].sort((a, b) => a - b);
  }

  read(at: number): Iterable<Buffer> | null {
    return this.files.get(at) ?? null;
  }

  write(at: number, chunks: Iterable<Buffer>): void {
    this.files.set(
      at,
      [...chunks].map((chunk) => Buffer.from(chunk)),
    );
  }

  remove(at: number): void {
    this.files.delete(at);
  }
}

export class PastScene {
  readonly app = makeKeyPair();
  readonly root = makeKeyPair();
  readonly storage = new MemoryStorage();
  readonly signers;
  readonly history: TimelineCommands;
  readonly index = new DigestIndex(this.storage);

  constructor({
    snapshots = null,
    known,
  }: { snapshots?: Pick<Snapshots, "list" | "read"> | null; known?: Semantics } = {}) {
    const settings = { signKey: [this.app.file], rootKey: [this.root.file], clusterName: "test" };
    this.signers = loadSigners(settings, pino({ level: "silent" }), known);
    const recorder = double<Recorder>({
      state: "live",
      revoked: null,
      unlisted: null,
      unlistedCause: null,
      introduction: null,
    });
    this.history = new TimelineCommands(this.#node(snapshots), recorder);
  }

  get recallParts() {
    const { storage, signers } = this;
    return {
      storage,
      hash: hashOf,
      genesis: signers.makeRing,
      databases: DATABASES_DEFAULT,
      uptime: () => performance.now(),
      soon: (step: () => void) => void setImmediate(step),
    };
  }

  /** Returns an entry. @param at  milliseconds after AT @param commands  arguments separated by spaces */
  entry(pair: KeyPair, at: number, commands: readonly string[], header: Partial<EnvelopeHeader> = {}): Entry {
    const argv = commands.map((command) => command.split(" "));
    const cluster = this.signers.cluster;
    const { id, body, signature } = signCommands(pair, argv, { cluster, at: AT + at, ...header });
    return { id, body, signature, envelope: readBody(body) };
  }

  put(...entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.storage.put([[writeOrderKey(orderKeyOf(entry)), writeValue(entry.body, entry.signature)]]);
      this.index.add(orderKeyOf(entry), isRingEntry(entry.envelope));
    }
  }

  /** Signs and stores an entry. */
  write(pair: KeyPair, at: number, commands: readonly string[], header: Partial<EnvelopeHeader> = {}): Entry {
    const entry = this.entry(pair, at, commands, header);
    this.put(entry);
    return entry;
  }

  /** Returns the text of a public key, as KEY ADD accepts it. */
  publicText(pair: KeyPair): string {
    return readFileSync(pair.file, "utf8").replace(/-----.*-----|\s/g, "");
  }

  /** Whether the caller's key may read all keys. */
  readsAll = true;

  async send(...argv: ByteString[]): Promise<Plain> {
    const command = commandTable.resolve(argv);
    if (command instanceof CommandFailure) return plain(command.reply);
    const unit = { at: NOW, db: 0, id: "q", readsAll: this.readsAll };
    return plain((await this.history.execute(command.name, argv, unit)) as Reply);
  }

  /** Returns the units of a reply, each as the values of the given names. */
  async units(names: readonly string[], ...argv: ByteString[]): Promise<Plain[][]> {
    const answer = (await this.send(...argv)) as { units: Record<string, Plain>[] };
    return answer.units.map((unit) => names.map((name) => unit[name] as Plain));
  }

  #node(snapshots: Pick<Snapshots, "list" | "read"> | null): NodeState {
    const { index } = this;
    const tail = { tailUnits: 1, tailBytes: 2, redone: 3, waiting: 4, bytes: 5 };
    return double<NodeState>({
      ...this.recallParts,
      signers: this.signers,
      settings: { limits: { minDiskFree: 0 }, rootKey: [this.root.file] },
      disk: new DiskSpace(null),
      environment: { clock: () => NOW, uptime: () => performance.now() },
      snapshots: { snapshots: snapshots as Snapshots },
      timeline: {
        index,
        watermark: 10,
        published: 9,
        failure: null,
        state: "live",
        newest: { at: AT, seq: 0 },
        figures: tail,
        waiting: { hasOnlyFuture: true },
        standstill: null,
        prunedTo: 3,
        database: new Database(),
        holds: ({ at }: OrderKey) => at === 5,
        ring: this.signers.makeRing(),
      },
      identity: { id: "own" },
      peering: {
        admission: { isRefused: false, refusalText: null, admitted: null },
        isSkewed: false,
        state: "live",
        stablePoint: 8,
        finalityDelay: null,
        closing: { gaps: 0 },
        order: null,
        quarantined: () => ({ waiting: 0, dropped: 0 }),
        snapshots: { taken: 6, orphaned: 7, possiblyOrphaned: 8, progress: null },
        states: {
          comparedAt: 11,
          differences: { all: [{ db: 2, key: "k", verdict: "own", members: ["m"] }] },
        },
        decisions: {
          contradicting: new Set(),
          missingPromises: [],
          undecided: null,
          disturbing: [],
          keeperChanges: 0,
          figures: { keeper: null, slots: 0, units: 0, lastAt: 0, waiting: 0, waitingKeys: [] },
        },
        members: [],
        channelMessages: { figures: noMessages() },
      },
      removedDataStores: { waitingDeadLetters: () => 9 },
      lists: {
        membership: { ...membershipStateOf([]), removed: new Set([LEFT_OUT]) },
        isJoining: false,
        history: { isForced: false },
      },
    });
  }
}

function plain(reply: Reply): Plain {
  if (reply.kind === "map") {
    const items = reply.items.map(plain);
    return Object.fromEntries(
      items.flatMap((name, i) => (i % 2 === 0 ? [[name as string, items[i + 1] as Plain]] : [])),
    );
  }
  if (reply.kind === "array" || reply.kind === "set") return reply.items.map(plain);
  const flat = folded(reply);
  switch (flat.kind) {
    case "bulk":
      return Buffer.from(flat.bytes, "latin1").toString();
    case "integer":
      return Number(flat.value);
    case "status":
    case "error":
      return Buffer.from(flat.text, "latin1").toString();
    default:
      return null;
  }
}

export const idText = (entry: Entry): string => hexOf(entry.id);

/** Writes a backup of the recorded entries. */
export function backUp(storage: PastScene["storage"], file: string): void {
  const descriptor = openSync(file, "w");
  writeBackup({
    view: {
      entries: (from: Buffer | null) => storage.entries(from, null),
      orderKeys: () => [...storage.entries(null, null)].map(([orderKey]) => orderKey),
      mark: (name: Parameters<typeof storage.mark>[0]) => storage.mark(name),
      hasForgotten: false,
      log: { lost: 0 },
    } as unknown as Parameters<typeof writeBackup>[0]["view"],
    snapshots: null,
    functions: null,
    now: AT + 99,
    hash: hashOf,
    path: file,
    progress: () => {},
    isIncomplete: false,
    writer: new FrameWriter(hashOf, (bytes) => void writeSync(descriptor, bytes)),
  });
  closeSync(descriptor);
}
