/**
 * Mirrors the fold to a Redis (-d redis in addition to --data or --peer). The daemon's reads never use that Redis, and
 * the fold never waits for it. The mirror records the names of changed keys, and later writes their current values.
 * When the content of Redis is uncertain, it compares all keys.
 */
import { completeSums, type FoldMirror } from "../../daemon/cluster/history/fold-mirror.js";
import type { RecordedWrites } from "../../daemon/cluster/node/recorded-writes.js";
import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";
import { LogThrottle } from "../../daemon/net/process/log-throttle.js";
import type { Service } from "../../daemon/net/process/service.js";
import { mirrorOf, type Settings } from "../../daemon/options/settings.js";
import type { DaemonOptions } from "../../daemon/program/components.js";
import type { MirrorReport } from "../../protocol/figures/timeline-figures.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import { Comparing, type ComparisonContext, ForeignKeys, readable } from "./compare-keys.js";
import { DirtyKeys, type MirrorKey } from "./dirty-keys.js";
import { checkMark, formatMark, MARK_DB, MARK_KEY, type MirrorMark } from "./mirror-mark.js";
import {
  type ComparisonReport,
  type MirrorCounts,
  type MirrorFigures,
  type MirrorParts,
  mirrorReport,
} from "./mirror-parts.js";
import { commandFor, keyText, type RedisCommand } from "./mirrored-key.js";
import { CpuTime, type RedisAnswer, RedisConnections } from "./redis-connections.js";

/** Milliseconds between two attempts to connect: the initial and the maximum value. */
const AGAIN_FIRST_MS = 50;
const AGAIN_MS_MAX = 2000;
/** Milliseconds to wait when Redis belongs to another daemon, and when it is full. */
const REFUSED_PAUSE_MS = 1000;
const FULL_PAUSE_MS = 500;
/** Minimum milliseconds between two batches; changes in between are written together. */
const BATCH_PAUSE_MS = 5;
/**
 * The pause after each batch, as a multiple of the time that the mirror spent on the batch. With this value the mirror
 * uses about a fifth of the daemon's time, including the time for reading replies.
 */
const REST = 6;
/** Maximum milliseconds for writing pending changes before the daemon stops. */
const STOP_MS = 5000;
const RUN_BYTES = 8;

/** The error if Redis can be reached, but the mirror must not write to it. */
class Refused extends Error {}

export class Mirror implements Service, FoldMirror {
  readonly #parts: MirrorParts;
  readonly #signal: WakeSignal;
  readonly #context: ComparisonContext;
  readonly #dirty: DirtyKeys;
  readonly #foreign: ForeignKeys;
  readonly #log: MirrorLog;
  readonly #comparing: Comparing;
  readonly #run: string;
  #live: Promise<void> | null = null;
  #connections: RedisConnections | null = null;
  /** The connections whose first write was logged, or null if there is none. */
  #loggedConnections: RedisConnections | null = null;
  #isStopping = false;
  #state: "connecting" | "refused" | "up" = "connecting";
  #trouble: string | null = null;
  /**
   * The marks that Redis may contain, as far as the daemon knows. Normally there is one. While the outcome of a batch
   * is unknown, there are two: the mark before the batch, and the batch's own mark. An item that is null means that
   * Redis has no mark. The list is empty if no mark was found or written yet.
   */
  #marks: readonly (string | null)[] = [];
  #batches = 0;
  #level = { at: 0, seq: 0 };
  /** The number of keys in the running batch. */
  #inFlight = 0;
  #isMarkDue = false;
  #takesOver = false;
  readonly #counts: MirrorCounts = { written: 0, refused: 0, foreign: 0 };
  readonly #work = new CpuTime();

  constructor(parts: MirrorParts) {
    const { environment, fold } = parts;
    this.#parts = parts;
    this.#signal = new WakeSignal(environment);
    this.#dirty = new DirtyKeys(parts.keys, this.#signal.set);
    this.#foreign = new ForeignKeys(parts.keys);
    this.#log = new MirrorLog(parts);
    this.#run = Buffer.from(environment.randomBytes(RUN_BYTES), "latin1").toString("hex");
    this.#context = {
      fold,
      clock: environment.clock,
      dirty: this.#dirty,
      timed: this.#work.timed,
    };
    this.#comparing = new Comparing(parts, this.#context, this.#counts, (report) => {
      this.#isMarkDue = true;
      this.#log.compared(report);
    });
  }

  async start(): Promise<void> {
    this.#parts.fold.changes.observeKeys(this.#dirty);
    this.#live = this.#follow();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#signal.end();
    const cancel = this.#parts.environment.setTimer(STOP_MS, () => this.#connections?.close());
    await this.#live;
    cancel();
    this.#parts.fold.changes.forget(this.#dirty);
  }

  get figures(): MirrorFigures {
    const { report: comparing, last: compared, different } = this.#comparing;
    return {
      name: this.#parts.specification.name,
      state: this.#displayedState,
      trouble: this.#trouble,
      level: this.#level,
      dirty: this.#dirty.size + this.#inFlight,
      ...this.#counts,
      different,
      comparing,
      compared,
    };
  }

  get report(): MirrorReport {
    return mirrorReport(this.figures);
  }

  /**
   * Compares all keys from the beginning.
   * @param takesOver  overwrites the data even if Redis belongs to another daemon
   * @returns the comparison's number
   */
  repair(takesOver: boolean): number {
    this.#takesOver ||= takesOver;
    const number = this.#comparing.begin("requested by an administrator", true);
    this.#signal.set();
    if (this.#state !== "up") this.#signal.endPause();
    return number;
  }

  get #displayedState(): MirrorFigures["state"] {
    if (this.#state !== "up") return this.#state;
    if (this.#comparing.isUrgent) return "comparing";
    return this.#isLagging || this.#inFlight > 0 ? "behind" : "level";
  }

  get #isLagging(): boolean {
    return this.#dirty.size > 0 || this.#dirty.lost !== null || this.#comparing.isUrgent;
  }

  /** Connects again whenever the connections have closed, until the daemon stops. */
  async #follow(): Promise<void> {
    const { random } = this.#parts.environment;
    for (let attempt = 0; !this.#isStopping; attempt++) {
      const problem = await this.#useConnections();
      if (problem === null) return;
      if (this.#state === "up") attempt = 0;
      this.#state = problem instanceof Refused ? "refused" : "connecting";
      this.#trouble = problem.message;
      this.#log.trouble(problem.message);
      const maxPause = Math.min(AGAIN_MS_MAX, AGAIN_FIRST_MS * 2 ** attempt);
      if (!this.#isStopping)
        await this.#signal.pause(
          problem instanceof Refused && !this.#takesOver ? REFUSED_PAUSE_MS : Math.ceil(random() * maxPause),
        );
    }
  }

  /**
   * Connects, and writes until the connections close.
   * @returns the reason why they have closed, or null if the daemon is stopping
   */
  async #useConnections(): Promise<Error | null> {
    try {
      this.#connections = await RedisConnections.open(
        this.#parts,
        this.#context.timed,
        this.#onChanged,
        this.#signal.set,
      );
      await this.#claim(this.#connections);
      this.#state = "up";
      while (!this.#isStopping) await this.#round(this.#connections);
      await this.#finish(this.#connections);
      return null;
    } catch (problem) {
      return problem as Error;
    } finally {
      this.#connections?.close();
      this.#connections = null;
      this.#foreign.clear();
    }
  }

  /** Checks which daemon the Redis belongs to, and claims it. */
  async #claim(connections: RedisConnections): Promise<void> {
    const [, answer] = await connections.request([
      ["SELECT", String(MARK_DB)],
      ["GET", MARK_KEY],
    ]);
    const found = readable(answer);
    const text = found === null ? null : String(found);
    const { daemon, cluster, fold } = this.#parts;
    const markContext = {
      daemon,
      cluster,
      written: this.#marks,
      folded: fold.folded,
      takesOver: this.#takesOver,
    };
    const verdict = checkMark(text, (await connections.keyCounts()).length === 0, markContext);
    if (verdict.kind === "refused") throw new Refused(verdict.reason);

    this.#takesOver = false;
    if (verdict.kind === "same") {
      // Compare all keys slowly, to find changes that other clients made while the daemon was disconnected.
      if (this.#marks.length > 0) this.#comparing.begin("it was disconnected", false);
      this.#marks = [text as string];
      this.#isMarkDue = true;
      return;
    }

    if (verdict.isAlarm) this.#log.alarm(verdict.reason);
    this.#comparing.begin(verdict.reason, true);
    const outcome = await this.#write(connections, new Map(), text);
    if (outcome.kind === "refused") throw new Refused(outcome.reason);
  }

  /** Does some of the pending work, then pauses. */
  async #round(connections: RedisConnections): Promise<void> {
    if (connections.trouble !== null) throw new Error(connections.trouble);
    const { lost } = this.#dirty;
    if (lost !== null) {
      this.#dirty.begin();
      this.#comparing.begin(lost, true);
    }

    const isFull = await this.#writeSome(connections);
    if (this.#foreign.size > 0) await this.#compareForeignKeys(connections);
    const pause = await this.#comparing.step(connections);
    const rest = isFull ? FULL_PAUSE_MS : Math.max(BATCH_PAUSE_MS, REST * this.#work.take());
    await this.#signal.pause(rest);
    const isIdle = this.#dirty.size === 0 && this.#foreign.size === 0 && !this.#isMarkDue;
    if (isIdle && pause > rest) await this.#signal.wait(pause - rest);
  }

  /** Writes a batch. @returns whether Redis is full */
  async #writeSome(connections: RedisConnections): Promise<boolean> {
    if (this.#dirty.size === 0 && !this.#isMarkDue) return false;
    this.#isMarkDue = false;
    const batch = takeBatch(this.#context);
    const outcome = await this.#write(connections, batch, this.#marks.at(-1) ?? null);
    if (outcome.kind !== "refused") return false;
    if (!outcome.reason.startsWith("OOM")) throw new Refused(outcome.reason);
    this.#trouble = outcome.reason;
    this.#log.trouble(outcome.reason);
    await removeDeletedKeys(connections, batch, this.#marks.at(-1) ?? "");
    return true;
  }

  /**
   * Writes a batch and the next mark.
   * @param from    the mark that must be in Redis
   * @param folded  see `MirrorMark.folded`
   * @throws Error  the connections have closed; all keys of the batch are marked dirty again, because they may not have
   * been written
   */
  async #write(
    connections: RedisConnections,
    batch: ReadonlyMap<MirrorKey, RedisCommand>,
    from: string | null,
    folded = "",
  ): Promise<BatchOutcome> {
    const { at, seq } = this.#parts.fold.newest;
    const level = this.#isLagging ? this.#level : { at, seq };
    const to = this.#nextMark(level, folded);
    this.#inFlight = batch.size;
    try {
      const present = new Set(await connections.present([...batch.keys()]));
      const writable = new Map([...batch].filter(([key]) => present.has(key)));
      this.#marks = [from, to];
      const outcome = await writeBatch(connections, writable, { from, to });
      if (outcome.kind === "moved") throw new Error("its mark is not the last one that was written");

      if (outcome.kind === "refused") {
        this.#marks = [from];
        this.#dirty.add(batch.keys());
        this.#isMarkDue = true;
        return outcome;
      }

      this.#marks = [to];
      this.#level = level;
      this.#trouble = null;
      if (this.#loggedConnections !== connections) this.#log.up();
      this.#loggedConnections = connections;
      this.#note([...batch.keys()], present, outcome.refused);
      return outcome;
    } catch (problem) {
      this.#dirty.add(batch.keys());
      throw problem;
    } finally {
      this.#inFlight = 0;
    }
  }

  #note(keys: readonly MirrorKey[], present: ReadonlySet<MirrorKey>, refused: readonly RefusedKey[]): void {
    const absent = keys.filter((key) => !present.has(key));
    this.#log.refused(absent, "it has no such database");
    for (const { key, reason } of refused) this.#log.refused([key], reason);
    const lost = absent.length + refused.length;
    this.#counts.refused += lost;
    this.#counts.written += keys.length - lost;
  }

  /** Checks keys that other clients have changed. */
  async #compareForeignKeys(connections: RedisConnections): Promise<void> {
    const different = await this.#foreign.compareSample(connections, this.#context);
    this.#counts.foreign += different.length;
    this.#log.foreign(different);
  }

  readonly #onChanged = (names: readonly Buffer[] | null): void => {
    if (names === null) {
      this.#log.alarm("another client has emptied one of its databases");
      this.#comparing.begin("another client has emptied one of its databases", true);
      this.#isMarkDue = true;
    } else {
      const foreign = names.filter((name) => name.toString("latin1") !== MARK_KEY);
      if (foreign.length < names.length) this.#isMarkDue = true;
      if (!this.#foreign.add(foreign))
        this.#comparing.begin("other clients change more keys than can be checked", true);
    }
    this.#signal.set();
  };

  /** Writes all pending changes. If Redis then has all changes, writes a mark that states this. */
  async #finish(connections: RedisConnections): Promise<void> {
    while (this.#foreign.size > 0) await this.#compareForeignKeys(connections);
    while (this.#dirty.size > 0 && this.#dirty.lost === null) if (await this.#writeSome(connections)) return;
    const { folded } = this.#parts.fold;
    if (!this.#isLagging) await this.#write(connections, new Map(), this.#marks.at(-1) ?? null, folded);
  }

  #nextMark(level: MirrorMark["level"], folded: string): string {
    const { cluster, daemon } = this.#parts;
    return formatMark({ cluster, daemon, run: this.#run, batch: ++this.#batches, level, folded });
  }
}

const REMINDER_MS = 60_000;

/** The log lines about the mirror: changes immediately, persistent conditions once a minute. */
class MirrorLog {
  readonly #log: MirrorParts["log"];
  readonly #mirror: string;
  readonly #throttle: LogThrottle;
  /** The number of keys since the last log line about them. */
  #counts = { foreign: 0, refused: 0 };

  constructor(parts: MirrorParts) {
    this.#log = parts.log;
    this.#mirror = parts.specification.name;
    const { log, environment } = parts;
    this.#throttle = new LogThrottle({ log, uptime: environment.uptime, periodMs: REMINDER_MS });
  }

  up(): void {
    this.#throttle.clear("trouble");
    this.#log.info({ mirror: this.#mirror }, "mirror connected");
  }

  trouble(reason: string): void {
    const facts = { mirror: this.#mirror, reason };
    this.#throttle.warn("trouble", facts, "cannot write to the mirror, trying again", reason);
  }

  alarm(reason: string): void {
    this.#log.warn({ mirror: this.#mirror, reason }, "the mirror differs from what was written to it");
  }

  foreign(keys: readonly MirrorKey[]): void {
    this.#counted("foreign", keys, "other clients have written to the mirror; their changes are reverted");
  }

  refused(keys: readonly MirrorKey[], reason: string): void {
    this.#counted("refused", keys, "the mirror refuses some keys, which are left out", reason);
  }

  compared({ reason, checked, different, named }: ComparisonReport): void {
    const about = { mirror: this.#mirror, reason, checked, different, named };
    this.#log.info(about, "the mirror was compared");
  }

  #counted(what: "foreign" | "refused", keys: readonly MirrorKey[], sentence: string, reason?: string): void {
    const [first] = keys;
    if (first === undefined) return;
    this.#counts[what] += keys.length;
    const about = { mirror: this.#mirror, keys: this.#counts[what], first: keyText(first) };
    const isWritten = this.#throttle.warn(
      what,
      reason === undefined ? about : { ...about, reason },
      sentence,
    );
    if (isWritten) this.#counts[what] = 0;
  }
}

/**
 * A signal that there is work. It wakes the waiting task or, if no task waits, makes the next wait return immediately.
 */
class WakeSignal {
  readonly #setTimer: Environment["setTimer"];
  #isSet = false;
  #hasEnded = false;
  #wake: () => void = () => {};
  #wakePause: () => void = () => {};

  constructor({ setTimer }: Environment) {
    this.#setTimer = setTimer;
  }

  readonly set = (): void => {
    this.#isSet = true;
    this.#wake();
  };

  /** Ends all current and future waits. */
  end(): void {
    this.#hasEnded = true;
    this.#wake();
    this.endPause();
  }

  /** Ends the current pause early. */
  endPause(): void {
    this.#wakePause();
  }

  /** Waits for the signal. @param max  maximum milliseconds */
  async wait(max: number): Promise<void> {
    if (!this.#isSet && !this.#hasEnded) {
      await this.#timed(max, (wake) => {
        this.#wake = wake;
      });
    }
    this.#isSet = false;
  }

  /** Pauses even if there is work. Only `endPause` and `end` end the pause early. */
  async pause(milliseconds: number): Promise<void> {
    if (this.#hasEnded) return;
    await this.#timed(milliseconds, (wake) => {
      this.#wakePause = wake;
    });
  }

  #timed(milliseconds: number, keep: (wake: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.#setTimer(milliseconds, resolve);
      keep(() => {
        stop();
        resolve();
      });
    });
  }
}

/**
 * Creates the mirror of the fold in the Redis of -d, without starting it, or returns null if there is none.
 * @param current  returns the settings */
export function makeMirror(
  { settings, environment, log }: DaemonOptions,
  recorded: RecordedWrites,
  current: () => Settings,
): Mirror | null {
  const specification = mirrorOf(settings);
  if (recorded.mirrored === null || specification === null) return null;
  const { timeline, backend, history } = recorded.mirrored;
  const mirror = new Mirror({
    specification,
    environment,
    log,
    daemon: hexOf(recorded.identity.id),
    cluster: hexOf(recorded.signers.cluster),
    timeout: () => current().limits.backendTimeout,
    keys: settings.mirrorKeys,
    compareEvery: settings.mirrorCompareEvery,
    compareRate: settings.mirrorCompareRate,
    fold: {
      changes: backend.changes,
      get database() {
        return timeline.database;
      },
      get newest() {
        return timeline.newest;
      },
      get folded() {
        return completeSums(timeline);
      },
    },
  });
  history.mirror = mirror;
  return mirror;
}

const BATCH_KEYS_MAX = 500;
/** The bytes of values from which no more keys are added to a batch. */
const BATCH_BYTES_MAX = 1024 * 1024;

/** Removes the next keys from the queue, and returns the commands that write their current values. */
const takeBatch = (context: ComparisonContext): Map<MirrorKey, RedisCommand> =>
  context.timed(() => taken(context));

function taken({ dirty, fold, clock }: ComparisonContext): Map<MirrorKey, RedisCommand> {
  const commands = new Map<MirrorKey, RedisCommand>();
  const now = Math.floor(clock());
  let bytes = 0;
  while (commands.size < BATCH_KEYS_MAX && bytes < BATCH_BYTES_MAX) {
    const key = dirty.shift();
    if (key === undefined) break;
    const command = commandFor(key, fold.database, now);
    for (const word of command) bytes += word.length;
    commands.set(key, command);
  }
  return commands;
}

/** A key that Redis refused to write, with the error. */
interface RefusedKey {
  readonly key: MirrorKey;
  readonly reason: string;
}

/** What became of a batch. */
type BatchOutcome =
  | { readonly kind: "written"; readonly refused: readonly RefusedKey[] }
  /** The mark in Redis is not the expected one. */
  | { readonly kind: "moved" }
  /** Redis refuses the batch. */
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Writes keys and the mirror's mark to Redis in one MULTI. Redis applies a batch only if it still contains the mark of
 * the previous batch, so a batch is never applied to a state that the mirror has not written.
 * @param from  the mark that must be in Redis, or null if there must be none
 * @param to    the mark to write with the batch
 * @throws Error  the connections have closed, and the outcome of the batch is unknown
 */
async function writeBatch(
  connections: RedisConnections,
  batch: ReadonlyMap<MirrorKey, RedisCommand>,
  { from, to }: { readonly from: string | null; readonly to: string },
): Promise<BatchOutcome> {
  const guard = await connections.request([select(MARK_DB), ["WATCH", MARK_KEY], ["GET", MARK_KEY]]);
  const failed = guard.find((answer) => answer instanceof Error);
  if (failed !== undefined) return { kind: "refused", reason: failed.message };
  const found = guard[2] === null ? null : String(guard[2]);
  if (found !== from) return { kind: "moved" };
  const body = [...batch].flatMap(([{ db }, command]) => [select(db), command]);
  const mark = ["SET", MARK_KEY, to];
  const answers = await connections.request([["MULTI"], ...body, select(MARK_DB), mark, ["EXEC"]]);
  const done = answers.at(-1) as RedisAnswer;
  if (done === null) return { kind: "moved" };
  if (done instanceof Error || !Array.isArray(done)) {
    // Report the error of the command that Redis did not queue, which is more precise than the error of EXEC.
    const reason = answers.find((answer) => answer instanceof Error) ?? new Error(String(done));
    return { kind: "refused", reason: reason.message };
  }
  return { kind: "written", refused: refusedOf([...batch.keys()], done) };
}

/**
 * A script that removes a key if the mark is unchanged. A full Redis queues nothing in a MULTI, but accepts this
 * script. KEYS: the key; ARGV: database and key of the mark, the mark, the key's database.
 */
const REMOVE = `redis.call('SELECT', ARGV[1])
if redis.call('GET', ARGV[2]) ~= ARGV[3] then return 0 end
redis.call('SELECT', ARGV[4])
return redis.call('DEL', KEYS[1])`;

/**
 * Removes from Redis the keys that a refused batch would have deleted. This frees memory after Redis refused the batch
 * because it is full.
 * @throws Error  the connections have closed
 */
async function removeDeletedKeys(
  connections: RedisConnections,
  batch: ReadonlyMap<MirrorKey, RedisCommand>,
  from: string,
): Promise<void> {
  const deleted = [...batch].filter(([, [name]]) => name === "DEL");
  await connections.request(
    deleted.map(([{ db }, [, key]]) => [
      ...["EVAL", REMOVE, "1", key as Buffer],
      ...[String(MARK_DB), MARK_KEY, from, String(db)],
    ]),
  );
}

/** @param done  the replies to SELECT and to the key's command, for each key */
function refusedOf(keys: readonly MirrorKey[], done: readonly RedisAnswer[]): readonly RefusedKey[] {
  return keys.flatMap((key, index) => {
    const answer = done[2 * index + 1];
    return answer instanceof Error ? [{ key, reason: answer.message }] : [];
  });
}

const select = (db: number): RedisCommand => ["SELECT", String(db)];
