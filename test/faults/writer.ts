/**
 * A process of the crash test that writes to all daemons until it is told to stop, and tells what it was told.
 * It takes its settings as its first message; see writer-process.ts.
 */
import { type Client, createClient, DbsyncError } from "../../client/entry.js";
import { SeededRandom } from "../support/seeded-random.js";
import { commandsOf, makeWrite, type ToldWrite, type Write } from "./write.js";

export interface WriterSettings {
  readonly servers: readonly string[];
  /** PEM. */
  readonly key: string;
  readonly writer: number;
  readonly seed: number;
}

export type WriterOrder =
  | { readonly kind: "begin"; readonly settings: WriterSettings }
  | { readonly kind: Turn };
type Turn = "pause" | "resume" | "stop";

export type WriterNews =
  | { readonly kind: "told"; readonly writes: readonly ToldWrite[] }
  | { readonly kind: "paused" | "ready" };

const BURST_MAX = 8;
const PAUSE_MS_LEAST = 20;
const PAUSE_MS_MOST = 120;
const TIMEOUT_MS = 6000;

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
tell({ kind: "ready" });

async function run({ servers, key, writer, seed }: WriterSettings): Promise<void> {
  const random = new SeededRandom(seed, writer);
  await using client = createClient({ servers, key, timeout: TIMEOUT_MS });
  for (let number = 0; turn !== "stop"; ) {
    if (turn === "pause") {
      tell({ kind: "paused" });
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      continue;
    }
    const burst = Array.from({ length: random.between(1, BURST_MAX) }, () =>
      makeWrite(random, writer, number++),
    );
    const writes = await Promise.all(burst.map((write) => send(client, write)));
    tell({ kind: "told", writes });
    const pause = random.between(PAUSE_MS_LEAST, PAUSE_MS_MOST);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  process.disconnect();
}

async function send(client: Client, write: Write): Promise<ToldWrite> {
  const options = write.waits ? { replicated: 2 } : {};
  const commands = commandsOf(write);
  try {
    const [only] = commands;
    if (only !== undefined && commands.length === 1) await client.call(only, options);
    else await client.multi(commands, options);
    return { ...write, told: write.waits ? "replicated" : "acknowledged", why: "" };
  } catch (problem) {
    if (!(problem instanceof DbsyncError)) throw problem;
    const { code, effect, outcomes } = problem;
    const stages = outcomes.map((each) => (each.status === "ok" ? "ok" : whyOf(each.stage, each.detail)));
    return { ...write, told: effect, why: [code, ...stages.sort()].join(" ") };
  }
}

const whyOf = (stage: string, detail: string) => (stage === "refused" ? detail.split(":", 1).join() : stage);

function tell(news: WriterNews): void {
  process.send?.(news);
}
