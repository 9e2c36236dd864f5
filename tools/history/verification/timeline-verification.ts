/**
 * Verifies a complete timeline, also of a data folder that a daemon uses: the bytes, id, audience and signature of each
 * entry, and the outcome of each unit. Folding the entries again must yield exactly the states in the snapshots.
 */
import { createHash } from "node:crypto";
import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { isIncomplete } from "../../../daemon/cluster/history/catching-up-mark.js";
import { type Outcome, outcomeOf } from "../../../daemon/cluster/history/unit-report.js";
import { readListHistory } from "../../../daemon/cluster/members/list-history.js";
import { certificateProblem } from "../../../daemon/cluster/replica/check-entry.js";
import { noTimeline, snapshotFolder } from "../../../daemon/engine/trust/data-folder.js";
import { compareGenesis } from "../../../daemon/engine/trust/genesis.js";
import { hashOf } from "../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../daemon/engine/trust/load-signers.js";
import type { Signers } from "../../../daemon/engine/trust/signers.js";
import type { Settings } from "../../../daemon/options/settings.js";
import { canonicalRing, canonicalState } from "../../../daemon/store/canonical-state.js";
import { DATABASES_DEFAULT, Database } from "../../../daemon/store/database.js";
import { missingCode } from "../../../daemon/store/family-code.js";
import type { KeyRing } from "../../../daemon/store/key-ring.js";
import { MissingCode } from "../../../daemon/store/rows/command-families.js";
import { type FolderView, openFolderView } from "../../../daemon/timeline/disk/folder-view.js";
import type { PageDamage } from "../../../daemon/timeline/disk/lmdb-file.js";
import { DamagedFile } from "../../../daemon/timeline/disk/lmdb-file.js";
import { ForeignFolder } from "../../../daemon/timeline/disk/timeline-folder.js";
import type { LogRemains } from "../../../daemon/timeline/disk/write-ahead-log.js";
import {
  type Entry,
  firstOrderKeyBytes,
  type OrderKey,
  readOrderKey,
  type SignedBytes,
} from "../../../daemon/timeline/entries/entry.js";
import { isRingEntry } from "../../../daemon/timeline/entries/recorded-envelopes.js";
import type { Storage } from "../../../daemon/timeline/entries/storage.js";
import { readPromisesMark } from "../../../daemon/timeline/entries/stored-promises.js";
import { readEntry, readValue } from "../../../daemon/timeline/entries/stored-value.js";
import { Fold } from "../../../daemon/timeline/fold/fold.js";
import { standstillOf } from "../../../daemon/timeline/fold/semantics-standstill.js";
import { recalledUnits } from "../../../daemon/timeline/history-fold.js";
import { MemoryStorage } from "../../../daemon/timeline/memory-storage.js";
import { DamagedSnapshot, readSnapshot } from "../../../daemon/timeline/snapshots/snapshot.js";
import { storedSnapshots } from "../../../daemon/timeline/snapshots/snapshot-schedule.js";
import { SnapshotFiles, type Snapshots } from "../../../daemon/timeline/snapshots/snapshot-stores.js";
import { errnoOf } from "../../../keys/key-source.js";
import { bytesOf } from "../../../protocol/byte-string.js";
import { readCertificate } from "../../../protocol/members/decision-messages.js";
import { finish } from "../../../protocol/steps.js";
import { readDecision } from "../../../protocol/version-2/decision-body.js";
import {
  dateText,
  ENTRY_ORDER_KEY_BYTES,
  hexOf,
  signedPieces,
} from "../../../protocol/version-2/envelope.js";
import type { OpenedBackup } from "../../backup/file/opened-backup.js";

/** Thrown if a timeline cannot be verified. The message states the reason, and what to do. */
export class NotChecked extends Error {
  override readonly name = "NotChecked";
}

export type FaultKind =
  | "damaged"
  | "damaged-file"
  | "damaged-page"
  | "damaged-log"
  | "damaged-promises"
  | "wrong-id"
  | "wrong-cluster"
  | "unknown-signer"
  | "bad-signature"
  | "damaged-snapshot"
  | "wrong-snapshot"
  | "damaged-backup"
  | "no-beginning";

interface Fault {
  readonly kind: FaultKind;
  /** The location, in human-readable form. */
  readonly where: string;
}

export interface VerificationReport {
  readonly entries: number;
  /** The number of entries that change the key ring. */
  readonly ringEntries: number;
  /** The dates of the first and the last entry, or null if there are none. */
  readonly first: number | null;
  readonly last: number | null;
  readonly units: Readonly<Record<Outcome, number>>;
  /** A description of the first entry with a malformed unit, or null if there is none. */
  readonly firstMalformed: string | null;
  /** The number of valid signatures. */
  readonly signatures: number;
  /**
   * The date of the snapshot that the fold began with because earlier entries are pruned, or null if it began empty.
   */
  readonly begins: number | null;
  /** The dates of the snapshots that equal the folded state. */
  readonly snapshots: readonly number[];
  /** SHA-256 of the state at the end, data and keys; hexadecimal. */
  readonly state: string;
  readonly faultCount: number;
  /** The first faults. */
  readonly faults: readonly Fault[];
}

/** The maximum number of faults that are named individually. */
export const FAULTS_MAX = 100;
/**
 * The maximum number of entries with an unknown signer that are checked again at the end, when the key ring includes
 * the keys that were added at later dates.
 */
const UNKNOWN_MAX = 10_000;
const PROGRESS_EVERY = 1000;

export class Verification {
  readonly #storage: Storage | FolderView | OpenedBackup;
  readonly #snapshots: Snapshots | OpenedBackup | null;
  readonly #signers: Signers;
  readonly #lists: ReturnType<typeof readListHistory>;
  readonly #onProgress: (entries: number) => void;
  readonly #faults: Fault[] = [];
  readonly #unknown: Entry[] = [];
  readonly #units = { applied: 0, error: 0, denied: 0, unmet: 0, malformed: 0, "too-much": 0 };
  readonly #compared: number[] = [];
  #faultCount = 0;
  #entries = 0;
  #ringEntries = 0;
  #signatures = 0;
  #first: number | null = null;
  #last: number | null = null;
  #firstMalformed: string | null = null;

  /**
   * @param snapshots  the folder's snapshots, or null if it has none
   * @param onProgress  receives the number of entries checked so far, every thousand entries
   */
  constructor(
    storage: Storage | FolderView | OpenedBackup,
    snapshots: Snapshots | OpenedBackup | null,
    signers: Signers,
    onProgress: (entries: number) => void,
  ) {
    this.#storage = storage;
    this.#lists = readListHistory(storage.mark("lists"));
    this.#snapshots = snapshots;
    this.#signers = signers;
    this.#onProgress = onProgress;
  }

  /** @throws NotChecked  this program does not know the meaning of its commands, or does not contain their code */
  run(): VerificationReport {
    try {
      return this.#run();
    } catch (problem) {
      throw problem instanceof MissingCode ? notCheckable(problem.message) : problem;
    }
  }

  #run(): VerificationReport {
    const promises = this.#storage.mark("decisions");
    if (promises !== null && readPromisesMark(promises) === null)
      this.#fault("damaged-promises", "the mark decisions");

    const files = new Set(this.#snapshots?.list() ?? []);
    const dates = storedSnapshots(this.#storage)
      .filter((date) => files.has(date))
      .sort((a, b) => a - b);

    const { fold, begins } = this.#begin(dates);
    requireMeaning(fold);
    const left = begins === null ? dates : dates.filter((date) => date > begins);
    for (const [orderKey, value] of this.#storage.entries(firstOrderKeyBytes(fold.cutAt + 1), null)) {
      const found = readOrderKey(orderKey);
      while (left[0] !== undefined && left[0] < found.at) this.#compare(fold, left.shift() as number);
      this.#check(fold, found, value);
    }

    for (const date of left) this.#compare(fold, date);
    for (const entry of this.#unknown) this.#checkSignature(entry, fold.ring, null);
    return this.#report(fold, begins);
  }

  /** Begins with an empty state, or with the oldest snapshot if the entries before it are pruned. */
  #begin(dates: readonly number[]): { fold: Fold; begins: number | null } {
    if (this.#storage.mark("pruned") !== null) {
      for (const date of dates) {
        const found = this.#restore(date);
        if (found !== null) return { fold: new Fold({ ...found, cutAt: date }), begins: date };
      }
      this.#fault("no-beginning", "the first entries are no longer stored, and no snapshot contains them");
    }
    const database = new Database({ databases: DATABASES_DEFAULT });
    const fold = new Fold({ database, ring: this.#signers.makeRing(), cutAt: -1 });
    return { fold, begins: null };
  }

  #check(fold: Fold, orderKey: OrderKey, value: Buffer): void {
    if (++this.#entries % PROGRESS_EVERY === 0) this.#onProgress(this.#entries);
    this.#first ??= orderKey.at;
    this.#last = orderKey.at;

    const entry = readEntry(orderKey, value, hashOf);
    if (entry === null) {
      this.#fault(readValue(value) === null ? "damaged" : "wrong-id", nameOf(orderKey));
      return;
    }

    if (isRingEntry(entry.envelope)) this.#ringEntries++;
    const { cluster, decided } = entry.envelope;
    if (cluster !== this.#signers.cluster && decided?.signed !== null)
      this.#fault("wrong-cluster", nameOf(orderKey));

    const missing = missingCode(entry.envelope.commands);
    if (missing !== null) throw new MissingCode(missing);
    const { answers } = fold.replay(entry);
    requireMeaning(fold);
    for (const unit of recalledUnits(entry, answers)) {
      const outcome = outcomeOf(unit);
      this.#units[outcome]++;
      if (outcome === "malformed") this.#firstMalformed ??= nameOf(orderKey);
    }
    this.#checkSignature(entry, fold.ring, this.#unknown);
  }

  /** @param later  receives entries whose signer is not known yet, or null if all signers should be known by now */
  #checkSignature(entry: Entry, ring: KeyRing, later: Entry[] | null): void {
    const { id, envelope } = entry;
    const signed = envelope.decided === null ? entry : this.#decidedUnit(entry);
    if (signed === null) return;

    // `spkiOf` also returns a key that an entry has named but that was never authorized. Members verify signatures in
    // the same way, and the fold then denies the units that such a key has signed.
    const spki = ring.spkiOf(envelope);
    if (spki === undefined) {
      if (later !== null && later.length < UNKNOWN_MAX) later.push(entry);
      else this.#fault("unknown-signer", nameOf({ ...envelope, id }));
      return;
    }

    const signer = { id: envelope.key, spki };
    if (this.#signers.verify(signer, signed, hashOf(...signedPieces(signed.body)))) this.#signatures++;
    else this.#fault("bad-signature", nameOf({ ...envelope, id }));
  }

  /**
   * Checks the votes for a decision. @returns the envelope that its client has signed, or null if there is none, or the
   * votes are not valid
   */
  #decidedUnit({ id, body, signature, envelope }: Entry): SignedBytes | null {
    const { unit, ...decision } = readDecision(body);
    const certificate = readCertificate(signature);
    const list = certificate === null ? undefined : this.#lists.get(certificate.ballot.listHash);
    const verify = this.#signers.verifyBy.bind(this.#signers);
    const isValid =
      certificate !== null &&
      list !== undefined &&
      certificateProblem(certificate, { ...decision, id }, list.list, verify) === null;
    if (isValid) return unit;
    this.#fault("bad-signature", nameOf({ ...envelope, id }));
    return null;
  }

  #compare(fold: Fold, date: number): void {
    const restored = this.#restore(date);
    if (restored === null) return;
    fold.cut(date);
    fold.dropExpired(Number.POSITIVE_INFINITY);
    if (digestOf(restored) === digestOf(fold)) this.#compared.push(date);
    else this.#fault("wrong-snapshot", `of ${dateText(date)}`);
  }

  /** Restores a snapshot, or returns null if it is damaged or was pruned. */
  #restore(date: number): { database: Database; ring: KeyRing } | null {
    try {
      const chunks = this.#snapshots?.read(date) ?? null;
      // The daemon has removed it in the meantime.
      if (chunks === null && !storedSnapshots(this.#storage).includes(date)) return null;
      if (chunks === null) throw new DamagedSnapshot("it does not exist");
      const { makeRing: genesis } = this.#signers;
      return finish(readSnapshot(chunks, { genesis, databases: DATABASES_DEFAULT, hash: hashOf }));
    } catch (problem) {
      if (!(problem instanceof DamagedSnapshot)) throw problem;
      this.#fault("damaged-snapshot", `of ${dateText(date)}: ${problem.message}`);
      return null;
    }
  }

  #fault(kind: FaultKind, where: string): void {
    this.#faultCount++;
    if (this.#faults.length < FAULTS_MAX) this.#faults.push({ kind, where });
  }

  #report(fold: Fold, begins: number | null): VerificationReport {
    fold.dropExpired(Number.POSITIVE_INFINITY);
    return {
      entries: this.#entries,
      ringEntries: this.#ringEntries,
      first: this.#first,
      last: this.#last,
      units: this.#units,
      firstMalformed: this.#firstMalformed,
      signatures: this.#signatures,
      begins,
      snapshots: this.#compared,
      state: digestOf(fold),
      faultCount: this.#faultCount,
      faults: this.#faults,
    };
  }
}

/** @throws NotChecked  the commands' meaning is unknown */
function requireMeaning(fold: Fold): void {
  const standstill = standstillOf(fold);
  if (standstill !== null) throw notCheckable(standstill);
}

const notCheckable = (reason: string) => new NotChecked(`It cannot be checked: ${reason}.`);

const nameOf = ({ at, id }: OrderKey): string => `${dateText(at)} ${hexOf(id)}`;

/** Returns the digest of a state; equal states have the same digest. */
function digestOf({ database, ring }: { readonly database: Database; readonly ring: KeyRing }): string {
  const hash = createHash("sha256");
  for (const line of canonicalState(database)) hash.update(`${line}\n`, "latin1");
  for (const line of canonicalRing(ring)) hash.update(`${line}\n`, "latin1");
  return hexOf(bytesOf(hash.digest()));
}

/** The state of the folder that was verified. */
export interface Seen {
  /** The process that uses the folder, or null if there is none on this machine. */
  readonly process: number | null;
  /** The number of the last group in the log. */
  readonly group: number;
  /** Whether a daemon wrote to the folder during the verification. If so, the new entries are not included. */
  readonly isWritten: boolean;
  /**
   * The number of entries that the daemon added during the verification, dated before the last verified entry. If there
   * are any, `state` may include only some of them, so it cannot be compared with another daemon's state.
   */
  readonly missed: number;
}

/** The report on a data folder. */
export interface FolderReport extends VerificationReport {
  readonly seen: Seen;
  /** Sentences that report what cannot be verified. */
  readonly untold: readonly string[];
}

/** The maximum number of attempts. If the daemon prunes entries during an attempt, everything is read again. */
const RUNS_MAX = 3;

/**
 * Verifies a data folder, and reports what could not be verified. No file is opened for writing. If a daemon writes to
 * the folder during the verification, the contents as of the beginning are verified.
 * @throws NotChecked
 * @throws StartError  the keys cannot be read, or are not those of the folder
 */
export async function verifyFolder(
  settings: Settings,
  data: string,
  progress: (entries: number) => void,
): Promise<FolderReport> {
  requireTimeline(data);
  const signers = loadSigners(settings, pino({ level: "silent" }));
  for (let run = 1; run <= RUNS_MAX; run++) {
    const report = await runOnce(data, signers, progress);
    if (report !== null) return report;
  }
  throw new NotChecked(
    `--data ${data}: its daemon prunes old entries faster than they are read. Check it again later, or check a copy of it.`,
  );
}

/** Checks that the folder has a timeline. In another user's folder (mode 0700) the timeline is not visible. */
function requireTimeline(data: string): void {
  try {
    accessSync(join(data, "timeline"), constants.R_OK);
  } catch (problem) {
    const code = errnoOf(problem);
    if (code !== "ENOENT" && code !== "ENOTDIR") throw unreadableBy(data, problem);
    throw new NotChecked(`--data ${data}: ${noTimeline(data)}`);
  }
}

function unreadableBy(data: string, problem: unknown): NotChecked {
  const reason = problem instanceof Error ? problem.message : String(problem);
  return new NotChecked(
    `--data ${data}: it cannot be read: ${reason}. Check it as its daemon's user, or as root.`,
  );
}

/** @returns null if entries were pruned before they were read */
async function runOnce(
  data: string,
  signers: Signers,
  progress: (entries: number) => void,
): Promise<FolderReport | null> {
  const folder = join(data, "timeline");
  const faults: Fault[] = [];
  const damaged = (damage: PageDamage) => void faults.push(pageFault(folder, damage));
  const view = await open(data, damaged);
  if (view instanceof DamagedFile) return unreadable(signers, { kind: "damaged-file", where: view.message });
  try {
    const genesis = view.mark("genesis");
    if (genesis !== null) compareGenesis(genesis, signers.genesis);
    else if (faults.length === 0 && view.log.lost === 0)
      throw new NotChecked(`--data ${data}: no daemon has been started with it yet.`);

    const report = new Verification(view, snapshotsOf(data), signers, progress).run();
    const seen = { process: view.process, group: view.group, isWritten: view.hasChanged };
    const missed = view.countMissed();
    if (view.hasForgotten) return null;
    faults.push(...logFaults(folder, view.log));

    return {
      ...withFaults(report, faults),
      seen: { ...seen, missed },
      untold: [...uncheckedOf(view.log, view.group), ...(isIncomplete(view) ? [INCOMPLETE] : [])],
    };
  } finally {
    view.close();
  }
}

async function open(
  data: string,
  onDamaged: (damage: PageDamage) => void,
): Promise<FolderView | DamagedFile> {
  try {
    return await openFolderView(join(data, "timeline"), onDamaged);
  } catch (problem) {
    if (problem instanceof DamagedFile) return problem;
    if (problem instanceof ForeignFolder) throw new NotChecked(`--data: ${problem.message}.`);
    throw unreadableBy(data, problem);
  }
}

const INCOMPLETE =
  "The daemon is catching up, or was when it stopped: entries that other daemons have may be missing.";

/** Returns the folder's snapshots, or null if it has none. */
function snapshotsOf(data: string): SnapshotFiles | null {
  const folder = snapshotFolder(data);
  return existsSync(folder) ? new SnapshotFiles(folder, { sweeps: false }) : null;
}

/** Reports a file that cannot be read at all. */
function unreadable(signers: Signers, fault: Fault): FolderReport {
  const report = new Verification(new MemoryStorage(), null, signers, () => {}).run();
  const seen = { process: null, group: 0, isWritten: false, missed: 0 };
  return {
    ...withFaults(report, [fault]),
    seen,
    untold: ["Everything else, because the head of the file is damaged."],
  };
}

/** @param faults  inserted before the faults of the report */
function withFaults(report: VerificationReport, faults: readonly Fault[]): VerificationReport {
  const all = [...faults, ...report.faults];
  return { ...report, faults: all.slice(0, FAULTS_MAX), faultCount: faults.length + report.faultCount };
}

function pageFault(folder: string, { page, problem, from, to }: PageDamage): Fault {
  const span = `${dateOr(from, "the beginning")} to ${dateOr(to, "the end")}`;
  return { kind: "damaged-page", where: `${join(folder, "data.mdb")}, page ${page} (${problem}), ${span}` };
}

/** Returns the date of an order key, or `otherwise` if there is none: the keys of marks are shorter. */
function dateOr(key: Buffer | null, otherwise: string): string {
  return key === null || key.length < ENTRY_ORDER_KEY_BYTES ? otherwise : dateText(readOrderKey(key).at);
}

function logFaults(folder: string, { lost }: LogRemains): Fault[] {
  const groups = `${lost} ${lost === 1 ? "group" : "groups"} of writes`;
  return lost === 0 ? [] : [{ kind: "damaged-log", where: `${folder}, ${groups}` }];
}

function uncheckedOf({ end, unsynced }: LogRemains, group: number): string[] {
  if (end === "damaged") return ["Whether the log is complete to its end: the file log-end cannot be read."];
  const sentences: string[] = [];
  if (unsynced > 0)
    sentences.push(
      `The contents of the last ${unsynced} groups of writes: the machine was restarted before they were on the disk, as --fsync permits.`,
    );
  else if (!end.isSameBoot && group > end.written)
    sentences.push(
      "Whether the log is complete to its end: log-end is older than the log, as after a power failure.",
    );
  return sentences;
}
