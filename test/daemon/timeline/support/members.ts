/** Two isolated timelines and an exchange between them, for tests of reconciliation. */

import { DigestIndex, type DigestSet } from "../../../../daemon/timeline/compare/digest-index.js";
import { RangeCursor } from "../../../../daemon/timeline/compare/order-key-ranges.js";
import { answer, type ReconcileResult, start } from "../../../../daemon/timeline/compare/reconcile.js";
import { type OrderKey, readOrderKey, writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import { MemoryStorage } from "../../../../daemon/timeline/memory-storage.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Steps } from "../../../../protocol/steps.js";
import type { SeededRandom } from "../../../support/seeded-random.js";

const EMPTY = Buffer.alloc(0);

export class Holder {
  readonly storage = new MemoryStorage();
  readonly index = new DigestIndex(this.storage);

  /** Adds an order key that the holder does not have. */
  add(orderKey: OrderKey, isRing = false): void {
    this.storage.put([[writeOrderKey(orderKey), EMPTY]]);
    this.index.add(orderKey, isRing);
  }

  remove(orderKey: OrderKey): void {
    this.storage.remove([writeOrderKey(orderKey)]);
    this.index.remove(orderKey);
  }

  /** Returns every order key, as a binary string. */
  all(set: DigestSet): ByteString[] {
    return [...this.index.orderKeys(set, null, null)].map((orderKey) => orderKey.toString("latin1"));
  }
}

export function randomId(random: SeededRandom): ByteString {
  const id = Buffer.allocUnsafe(32);
  for (let i = 0; i < 32; i += 4) id.writeUInt32BE(random.below(2 ** 32), i);
  return id.toString("latin1");
}

export interface ExchangeCost {
  messages: number;
  bytes: number;
  /** The number of sent entries, and the number of sent entries that the other side already had. */
  given: number;
  needless: number;
  /** Milliseconds of the longest step. */
  longestStep: number;
}

/** Runs one exchange and sends all entries that it requests. */
export function exchange(one: Holder, other: Holder, set: DigestSet, salt: number): ExchangeCost {
  const cost: ExchangeCost = { messages: 0, bytes: 0, given: 0, needless: 0, longestStep: 0 };
  let message: Buffer | null = run(start(one.index, set, salt), cost);
  for (let [from, to] = [one, other]; message !== null; [from, to] = [to, from]) {
    cost.messages++;
    cost.bytes += message.length;
    const outcome: ReconcileResult = run(answer(to.index, message), cost);
    const cursor = new RangeCursor(to.index, set, outcome.toSend);
    for (let orderKeys = cursor.next(100); orderKeys.length > 0; orderKeys = cursor.next(100)) {
      for (const orderKey of orderKeys) {
        cost.given++;
        if (from.storage.get(orderKey) !== null) cost.needless++;
        else from.add(readOrderKey(orderKey), set === "ring");
      }
    }
    message = outcome.reply;
  }
  return cost;
}

function run<T>(steps: Steps<T>, cost: ExchangeCost): T {
  for (;;) {
    const begun = performance.now();
    const { done, value } = steps.next();
    cost.longestStep = Math.max(cost.longestStep, performance.now() - begun);
    if (done === true) return value;
  }
}
