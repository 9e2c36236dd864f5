/**
 * Stores snapshots of a stream's state in the data folder. At its start the daemon then reads only the messages after
 * the newest snapshot, and operators may delete older messages from the stream.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Worker } from "node:worker_threads";
import type { ReplicaContext } from "../../daemon/cluster/replica/replica-context.js";
import { orderFolder } from "../../daemon/engine/trust/data-folder.js";
import { syncPathNow } from "../../daemon/net/process/disk.js";
import { StartError } from "../../daemon/net/process/service.js";
import type { OrderAddress } from "../../daemon/options/addresses/order-address.js";
import { DATABASES_DEFAULT } from "../../daemon/store/database.js";
import { DATA_FILE } from "../../daemon/timeline/disk/lmdb-file.js";
import {
  checkFolderFormat,
  FolderInUse,
  type FolderLock,
  ForeignFolder,
  lockFolder,
  writeFolderFormat,
} from "../../daemon/timeline/disk/timeline-folder.js";
import { SnapshotFiles } from "../../daemon/timeline/snapshots/snapshot-stores.js";
import { discard, publishOver, stage } from "../../keys/atomic-file.js";
import { type Loaded, newestIn } from "./order-snapshot.js";
import type { OrderTask } from "./order-task.js";

/** The number of snapshots to retain: the newest one, and the one before it in case the newest cannot be read. */
const KEPT = 2;
/** Milliseconds for which the thread that makes a snapshot waits for the next message of the stream. */
const MESSAGE_TIMEOUT_MS = 60_000;

/** The name of the task that makes a snapshot. */
const ORDER_SNAPSHOT_TASK = "order-snapshot";

export class OrderFolder {
  readonly #context: ReplicaContext;
  readonly #order: OrderAddress;
  readonly #messageTimeoutMs: number;
  readonly #files: SnapshotFiles | null = null;
  readonly #lock: FolderLock | null = null;
  /** The sequence of the newest snapshot, or of the last attempt. */
  #seq = 0;
  /** Whether this start created the folder. */
  #isNew = false;
  #worker: Worker | null = null;
  /** The stream that the folder belongs to, or null if there is none yet. */
  #firstStream: FirstStream | null = null;

  /**
   * @param messageTimeoutMs  milliseconds without a message after which no snapshot is made
   * @throws StartError  the folder is in use, or contains something else
   */
  constructor(context: ReplicaContext, order: OrderAddress, messageTimeoutMs = MESSAGE_TIMEOUT_MS) {
    this.#context = context;
    this.#order = order;
    this.#messageTimeoutMs = messageTimeoutMs;
    const { data } = context.settings;
    if (data === null) return;
    if (existsSync(join(data, "timeline", DATA_FILE)))
      throw new StartError(
        `--data ${data}: it contains a timeline, which --order cannot continue: specify a new folder.`,
        2,
      );

    const folder = orderFolder(data);
    try {
      const hasFormat = checkFolderFormat(folder);
      this.#isNew = !hasFormat;
      this.#lock = lockFolder(data);
      this.#files = new SnapshotFiles(folder);
      if (!hasFormat) writeFolderFormat(folder);
    } catch (problem) {
      if (problem instanceof ForeignFolder) throw new StartError(`--data: ${problem.message}.`, 2);
      if (!(problem instanceof FolderInUse)) throw problem;
      throw new StartError(`--data: ${problem.message}.`, 1);
    }

    this.#firstStream = readFirstStream(folder);
    if (this.#firstStream !== null && this.#firstStream.name !== order.stream)
      throw new StartError(
        `--data ${data}: it belongs to the stream ${this.#firstStream.name}, but --order names ${order.stream}: correct one of them.`,
        2,
      );
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
    this.#lock?.unlock();
  }

  /** Returns the newest readable state, or an empty one. @throws StartError  it was made with other keys */
  load(): Loaded {
    const { signers, log } = this.#context;
    const { makeRing, cluster } = signers;
    const loaded = newestIn(this.#files, { makeRing, cluster, databases: DATABASES_DEFAULT, log });
    this.#seq = loaded.state.seq;
    this.#logFolder();
    return { ...loaded, created: loaded.created ?? this.#firstStream?.created ?? null };
  }

  #logFolder(): void {
    const { settings, log } = this.#context;
    if (settings.data === null) return;
    const folder = { data: resolve(settings.data) };
    if (this.#isNew) log.info(folder, "created a new data folder");
    else log.info({ ...folder, seq: this.#seq }, "opened the data folder");
  }

  /**
   * Called when the stream is connected. The folder belongs to that stream from now on.
   * @param created  when the stream was created
   * @throws Error  a disk error
   */
  connected(created: string): void {
    const { data } = this.#context.settings;
    if (data === null || this.#firstStream !== null) return;
    const firstStream = { name: this.#order.stream, created };
    writeFirstStream(orderFolder(data), firstStream);
    this.#firstStream = firstStream;
  }

  /**
   * Called when all messages up to a sequence have been applied. Makes a snapshot at intervals.
   * @param created  when the stream was created
   */
  passed(seq: number, created: string): void {
    const { settings, signers } = this.#context;
    const { data, limits, orderCredentials: credentials } = settings;
    if (data === null || this.#worker !== null || seq - this.#seq < limits.snapshotEntries) return;

    this.#seq = seq;
    const keys = [...signers.makeRing().all()].map(({ role, spki, label }) => ({ role, spki, label }));
    const folder = orderFolder(data);
    const { genesis } = signers;
    this.#run({
      folder,
      order: this.#order,
      credentials,
      created,
      to: seq,
      databases: DATABASES_DEFAULT,
      genesis,
      messageTimeoutMs: this.#messageTimeoutMs,
      keys,
    });
  }

  #run(task: OrderTask): void {
    const { log, startThread } = this.#context;
    const worker = startThread(ORDER_SNAPSHOT_TASK, task);
    this.#worker = worker;
    let reason = "";
    worker.once("error", (problem) => {
      reason = problem instanceof Error ? problem.message : String(problem);
    });
    worker.once("exit", (code) => {
      this.#worker = null;
      if (code !== 0)
        log.warn(
          { seq: task.to, reason },
          "the snapshot failed: the next start must read more of the stream",
        );
      else log.info({ seq: task.to }, "a snapshot of the state was stored");
      for (const old of this.#files?.list().slice(0, -KEPT) ?? []) this.#files?.remove(old);
    });
  }
}

/**
 * The stream that the daemon of a data folder first used. If that stream no longer exists, no new stream may be created
 * in its place.
 */
interface FirstStream {
  readonly name: string;
  /** When it was created, as NATS reports it. */
  readonly created: string;
}

const FILE = "stream.json";
const FILE_MODE = 0o600;

/** Reads the file, or returns null if there is none yet. @throws StartError  it cannot be read */
function readFirstStream(folder: string): FirstStream | null {
  const file = join(folder, FILE);
  try {
    const { name, created } = JSON.parse(readFileSync(file, "utf8")) as Partial<FirstStream>;
    if (typeof name === "string" && typeof created === "string") return { name, created };
  } catch (problem) {
    if ((problem as NodeJS.ErrnoException).code === "ENOENT") return null;
    if (!(problem instanceof SyntaxError)) throw problem;
  }

  throw new StartError(
    `${file}: it is damaged. Remove it if the stream that --order names is the right one.`,
    1,
  );
}

/** Writes the file. When this returns, the file is on disk under its name. */
function writeFirstStream(folder: string, firstStream: FirstStream): void {
  const file = join(folder, FILE);
  const staged = stage(file, JSON.stringify(firstStream), FILE_MODE);
  try {
    publishOver(staged, file);
  } finally {
    discard(staged);
  }
  syncPathNow(folder);
}
