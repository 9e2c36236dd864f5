/**
 * A daemon's replica in this process (recorder, timeline, log, LMDB, the thread that makes snapshots, peering that has no
 * peers), on a real folder, with a clock that is moved. Envelopes come to it as from the pipeline, which has found their signatures right.
 */
import { randomBytes } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { pino } from "pino";
import { Channels } from "../daemon/channels/channels.js";
import { Broadcasts } from "../daemon/pipeline/broadcasts.js";
import { openReplica, type Replica } from "../daemon/replica/replica.js";
import { hashOf, makeIdentity } from "../daemon/trust/identity.js";
import { loadSigners } from "../daemon/trust/load-signers.js";
import type { Signers } from "../daemon/trust/signers.js";
import { bodyOf, NONCE_BYTES, readBody } from "../protocol/version-2/envelope.js";
import { writeSigned } from "../protocol/version-2/envelope-body.js";
import { type Environment, realEnvironment } from "../serving/process/environment.js";
import type { KeyRecord } from "../store/key-ring.js";
import { settingsFrom } from "../test/daemon/replicas.js";
import type { Argv } from "./bounded-workload.js";

const START = 1_790_000_000_000;
/** Of an RSA key of 2048 bits. */
const SIGNATURE_BYTES = 256;
const ROOM_BYTES = 2 ** 20;

export class SimulatedReplica implements AsyncDisposable {
  /** Milliseconds since it was started, as its clock says. */
  elapsed = 0;
  readonly #replica: Replica;
  readonly #signers: Signers;
  readonly #signer: KeyRecord;
  readonly #signature = randomBytes(SIGNATURE_BYTES);
  #taken = 0;
  #flushed: unknown = null;

  private constructor(replica: Replica, signers: Signers) {
    this.#replica = replica;
    this.#signers = signers;
    this.#signer = [...signers.ring.all()][0] as KeyRecord;
  }

  /** @param args  of the daemon, -s and --data among them */
  static async start(args: readonly string[]): Promise<SimulatedReplica> {
    const log = pino({ level: "warn" });
    const settings = settingsFrom(args);
    const signers = loadSigners(settings, log);
    let simulated: SimulatedReplica | null = null;
    const uptime = () => simulated?.elapsed ?? 0;
    const environment: Environment = { ...realEnvironment, clock: () => START + uptime(), uptime };
    const { window } = settings;
    const replica = await openReplica({
      ...{ settings, identity: makeIdentity(), signers, log, environment, arrived: () => {} },
      broadcasts: new Broadcasts({ channels: new Channels(), environment, window, most: 100 }),
    });
    simulated = new SimulatedReplica(replica, signers);
    await replica.start();
    return simulated;
  }

  /** @param age  milliseconds that its date lies behind the clock @throws Error  it is refused */
  take(commands: readonly Argv[], age: number): void {
    const seq = this.#taken % 2 ** 16;
    const nonce = String(++this.#taken).padStart(NONCE_BYTES, "0");
    const header = { key: this.#signer.id, cluster: this.#signers.cluster, seq, nonce };
    const signed = writeSigned({ ...header, at: Math.floor(START + this.elapsed - age) }, commands);
    const body = bodyOf(signed);
    const answer = this.#replica.recording.apply(
      {
        ...{ id: hashOf(signed), envelope: readBody(body), signer: this.#signer, isRecorded: true },
        message: { kind: "command", body, signature: this.#signature },
        ...{ room: ROOM_BYTES, standing: "", listener: null },
      },
      () => {
        throw new Error("a write is recorded");
      },
    );
    if (!(answer instanceof Promise)) throw new Error(`refused: ${JSON.stringify(answer)}`);
    this.#flushed = answer;
  }

  /** What the daemon's own timer does each 100 ms. */
  tick(): void {
    this.#replica.timeline.tick();
    this.#replica.backend.tick();
  }

  /** When what was taken is in the log, and what waited for a turn has had one. */
  async settled(): Promise<void> {
    await this.#flushed;
    await turn();
  }

  get keys(): number {
    return this.#replica.backend.keyCounts.reduce((sum, { keys }) => sum + keys, 0);
  }

  get tailUnits(): number {
    return this.#replica.timeline.figures.tailUnits;
  }

  /** Milliseconds since the oldest entry that is kept, as far as any has gone. */
  get kept(): number {
    return Math.min(this.elapsed, START + this.elapsed - this.#replica.timeline.prunedTo);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#replica.stop();
  }
}
