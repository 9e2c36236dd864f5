/** Measures signed SETs of the Go client to three daemons in memory, in turn with those of the JavaScript client. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { MODULE, runGo } from "../test/go/running.js";
import { makeKeyPair } from "../test/support/envelope-client.js";
import { run } from "../test/support/run-program.js";
import { ScratchFolder } from "../test/support/scratch-folder.js";
import type { Trio } from "../test/support/trio.js";
import { alternate, type Figures, measure, medians } from "./measure.js";
import { FIGURE_HEAD, figureCells, isSmoke, met, report, table } from "./report.js";
import { startThree } from "./servers.js";

const SECONDS = isSmoke ? 0.2 : 2;
const ROUNDS = isSmoke ? 1 : 5;
const CALLERS = [1, 64];
const VALUE = "x".repeat(20);

using folder = new ScratchFolder();
const program = join(folder.path, "dbsync.test");
const built = await runGo(["test", "-c", "-o", program, "./dbsync"]);
assert.equal(built.code, 0, built.stderr);

/** Runs a process of the Go client. It warms up for as long as it measures. */
async function measureGo(trio: Trio, key: string, callers: number): Promise<Figures> {
  const load = { servers: trio.servers.join(), key, callers, warmUpSeconds: SECONDS, seconds: SECONDS };
  const ended = await run(program, ["-test.run", "^TestLoad$"], {
    cwd: join(MODULE, "dbsync"),
    env: { DBSYNC_LOAD: JSON.stringify(load) },
  });
  assert.equal(ended.code, 0, ended.stdout + ended.stderr);
  return JSON.parse(ended.stdout.split("\n")[0] ?? "") as Figures;
}

const rows: (string | number)[][] = [];
const goals: string[] = [];
for (const kind of ["rsa", "ed25519"] as const) {
  const app = makeKeyPair(kind);
  await using trio = await startThree("plain", app);
  await using client = trio.client();
  const key = folder.privateKey(app, `${kind}.pem`);
  let counter = 0;
  const set = () => client.send(`SET key:${++counter} ${VALUE}`);
  for (const callers of CALLERS) {
    const javascript = () => measure({ callers, seconds: SECONDS }, set);
    const subjects = [javascript, () => measureGo(trio, key, callers)];
    const [ofJavascript = [], ofGo = []] = await alternate(subjects, { rounds: ROUNDS, warmUps: 1 }, (each) =>
      each(),
    );
    const [node, go] = [medians(ofJavascript), medians(ofGo)];
    const ratio = callers === 1 ? node.p50 / go.p50 : go.perSecond / node.perSecond;
    const name = `${kind === "rsa" ? "RSA-2048" : "Ed25519"}, ${callers} in flight`;
    rows.push([`JavaScript, ${name}`, ...figureCells(node), "1"]);
    rows.push([`Go, ${name}`, ...figureCells(go), ratio.toFixed(2)]);
    goals.push(`${name} ${ratio.toFixed(2)} (${met(ratio >= 1)})`);
  }
}

report(
  "go-client",
  "The Go client beside the JavaScript client",
  `Signed SETs to three daemons in memory. The two clients alternate; medians of ${ROUNDS} rounds of ${SECONDS} s. Each round of the Go client is a process of its
own, which warms up first. The last column is, with one call in flight, the p50 of JavaScript divided by that of Go, and otherwise the rate of Go divided by that of JavaScript.

${table(["", ...FIGURE_HEAD, "÷ JavaScript"], rows)}

Goal: at least 1 in each. ${goals.join("; ")}.`,
);
