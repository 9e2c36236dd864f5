/**
 * Makes one snapshot in a thread. It continues from the newest existing snapshot, and reads the stream itself up to the
 * given message, so it does not delay clients.
 */
import { entryCheck } from "../../daemon/cluster/replica/check-entry.js";
import type { Genesis } from "../../daemon/engine/trust/genesis.js";
import { hashOf } from "../../daemon/engine/trust/identity.js";
import { Signers } from "../../daemon/engine/trust/signers.js";
import { realEnvironment } from "../../daemon/net/process/clock-and-randomness.js";
import type { OrderAddress } from "../../daemon/options/addresses/order-address.js";
import { KeyRing } from "../../daemon/store/key-ring.js";
import type { Role } from "../../daemon/store/rights/key-record.js";
import { SnapshotFiles } from "../../daemon/timeline/snapshots/snapshot-stores.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { NatsStream } from "./nats-stream.js";
import { newestIn, writeOrderSnapshot } from "./order-snapshot.js";
import type { StreamReader } from "./order-stream.js";
import { OrderedState } from "./ordered-state.js";

/** The task of the thread. */
export interface OrderTask {
  /** The folder of the snapshots. */
  readonly folder: string;
  readonly order: OrderAddress;
  /** The path of the credentials file, or null if there is none. */
  readonly credentials: string | null;
  /** When the stream was created. */
  readonly created: string;
  /** The last message that the snapshot includes. */
  readonly to: number;
  readonly databases: number;
  readonly genesis: Genesis;
  /** Milliseconds to wait for each message of the stream. After this time, the thread fails without a snapshot. */
  readonly messageTimeoutMs: number;
  /** The keys that the daemon was started with. */
  readonly keys: readonly { readonly role: Role; readonly spki: ByteString; readonly label: ByteString }[];
}

/** Runs the task, in the thread. */
export async function runOrderTask(task: OrderTask): Promise<void> {
  const { folder, order, credentials, created, to, databases, messageTimeoutMs } = task;

  const makeRing = (): KeyRing => {
    const ring = new KeyRing({ hash: (bytes) => hashOf(Buffer.from(bytes, "latin1")) });
    for (const { role, spki, label } of task.keys) ring.addGenesis(role, spki, label);
    return ring;
  };

  const silent = { info() {}, warn() {}, error() {} };
  const signers = new Signers({ genesis: task.genesis, makeRing, applicationKeys: [] });
  const files = new SnapshotFiles(folder, { sweeps: false });
  const { state: initial } = newestIn(files, { makeRing, cluster: signers.cluster, databases, log: silent });
  const state = new OrderedState(initial, entryCheck(signers, null));
  signers.follow(state);
  // After an update of the package, code may be missing that the daemon has.
  if (state.standstill !== null) throw new Error(state.standstill);

  let arrive = () => {};
  let giveUp = (_: Error) => {};
  const arrived = new Promise<void>((resolve, reject) => {
    arrive = resolve;
    giveUp = reject;
  });
  const reader: StreamReader = {
    get next() {
      return state.seq + 1;
    },
    isNew: false,
    connected: (facts) => (facts.created === created ? null : "it is another stream"),
    checkRepeated(message) {
      if (!state.isLast(message)) throw new Error("the stream has a different message at that sequence");
      return null;
    },
    message(message) {
      if (message.seq <= to && state.apply(message).kind === "stopped")
        return giveUp(new Error(state.standstill ?? "code is missing"));
      timer.refresh();
      if (message.seq === to) arrive();
    },
  };
  const stream = new NatsStream(reader, order, credentials, { environment: realEnvironment, log: silent });
  const timer = setTimeout(() => {
    giveUp(
      new Error(
        `no message of the stream arrived for ${messageTimeoutMs} ms: ${stream.trouble ?? "reason unknown"}`,
      ),
    );
  }, messageTimeoutMs);
  try {
    await stream.start();
    await arrived;
  } finally {
    clearTimeout(timer);
    await stream.stop();
  }
  files.write(to, writeOrderSnapshot(state.current, { created, cluster: signers.cluster }));
}
