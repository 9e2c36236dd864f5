/**
 * A process of the crash test that writes until it is stopped, usually to all daemons and sometimes to one daemon
 * alone. It reports the outcomes. The first message that it receives contains its settings; see writer-process.ts.
 */
import { type Client, createClient } from "../../../client/public-api.js";
import { SeededRandom } from "../../support/seeded-random.js";
import { makeWrite, type ReportedWrite, sendWrite } from "./write.js";

export interface WriterSettings {
  readonly servers: readonly string[];
  /** The private key in PEM. */
  readonly key: string;
  readonly writer: number;
  readonly seed: number;
}

export type WriterOrder =
  | { readonly kind: "begin"; readonly settings: WriterSettings }
  | { readonly kind: Turn };
type Turn = "pause" | "resume" | "stop";

export type WriterNews =
  | { readonly kind: "reported"; readonly writes: readonly ReportedWrite[] }
  | { readonly kind: "paused" | "ready" };

const BURST_MAX = 8;
const PAUSE_MS_MIN = 20;
const PAUSE_MS_MAX = 120;
const TIMEOUT_MS = 6000;
/**
 * The share of bursts that are sent to one daemon alone. If that daemon is lost before it forwards them, no other
 * member has them.
 */
const ALONE = 0.15;

let turn: Turn = "resume";
let wake = () => {};

process.on("message", (order: WriterOrder) => {
  if (order.kind === "begin") void run(order.settings);
  else {
    turn = order.kind;
    wake();
  }
});
process.on("disconnect", () => process.exit());
report({ kind: "ready" });

async function run({ servers, key, writer, seed }: WriterSettings): Promise<void> {
  const random = new SeededRandom(seed, writer);
  const clientOf = (some: readonly string[]) => createClient({ servers: some, key, timeout: TIMEOUT_MS });
  await using all = clientOf(servers);
  await using clients = closing(servers.map((server) => clientOf([server])));

  for (let number = 0; turn !== "stop"; ) {
    if (turn === "pause") {
      report({ kind: "paused" });
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      continue;
    }

    const burst = Array.from({ length: random.between(1, BURST_MAX) }, () =>
      makeWrite(random, writer, number++),
    );
    const client = random.chance(ALONE) ? random.oneOf(clients.items) : all;
    const writes = await Promise.all(burst.map((write) => sendWrite(client, write)));
    report({ kind: "reported", writes });

    const pause = random.between(PAUSE_MS_MIN, PAUSE_MS_MAX);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  process.disconnect();
}

const closing = (items: readonly Client[]) => ({
  items,
  [Symbol.asyncDispose]: async () => {
    for (const client of items) await client[Symbol.asyncDispose]();
  },
});

function report(news: WriterNews): void {
  process.send?.(news);
}
