/** Tests `dbsync status --watch` on a terminal (a pty, by script(1)), and in a pipe. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { clip, wrapped } from "../../../../daemon/net/terminal/text-table.js";
import type { DaemonStatus } from "../../../../tools/cli/status/read-status.js";
import { bars, Rates, watchedLines } from "../../../../tools/cli/status/watched-report.js";
import { refusingAddress } from "../../../support/free-port.js";
import { programPaths } from "../../../support/programs.js";
import { startCluster } from "../cluster.js";
import { NOW, WELL } from "./well-timeline.js";

const REDRAWN = /\x1b\[\d+A\r/;
const ESCAPES = /\x1b\[[\d;?]*[A-Za-z]/g;

const NOT_HEARD = {
  address: "a:1",
  ok: false,
  state: null,
  stage: "connect",
  clockDifference: null,
  roundTrip: null,
  timeline: null,
  timelineNote: null,
  remarks: [],
  progress: [],
  figures: null,
  hasNoDatabase: false,
};

interface Watched {
  readonly output: string;
  readonly code: number | null;
}

/** Runs `dbsync status --watch` until Ctrl-C. */
async function onTerminal(words: readonly string[], columns: number, env: object = {}): Promise<Watched> {
  return await watched(words, columns, env, (child) => void child.stdin?.write("\x03"));
}

/** Runs `dbsync status --watch` until it has redrawn the table, and then calls `end`, which ends the program. */
async function watched(
  words: readonly string[],
  columns: number,
  env: object,
  end: (child: ChildProcess, pid: number) => void,
): Promise<Watched> {
  const command = [process.execPath, programPaths.dbsync, "status", "--watch", ...words].join(" ");
  const size = `stty cols ${columns} rows 30; echo pid $$; `;
  const child = spawn("script", ["-qefc", `${size}exec ${command}`, "/dev/null"], {
    // With CI set, Node would assume a terminal without colours.
    env: { ...process.env, CI: undefined, TERM: "xterm", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });

  let output = "";
  let isEnding = false;
  child.stdout.on("data", (bytes: Buffer) => {
    output += bytes.toString();
    if (isEnding || !REDRAWN.test(output)) return;
    isEnding = true;
    end(child, Number(/^pid (\d+)/.exec(output)?.[1]));
  });

  const [code] = (await once(child, "close")) as [number | null];
  return { output, code };
}

test("on a terminal the screen is redrawn within its width, and remains after Ctrl-C", async () => {
  await using cluster = await startCluster(2, ["--peer", await refusingAddress()]);
  const servers = `${cluster.daemons.servers},a-host-of-a-very-long-name.example.invalid:1111`;
  const words = ["-s", servers, "-k", join(cluster.folder, "root.pem")];
  for (const [columns, env] of [
    [80, {}],
    [50, { NO_COLOR: "1" }],
  ] as const) {
    const { output, code } = await onTerminal(words, columns, env);
    assert.equal(code, 1, "the last update found a problem");
    const [before = "", after = ""] = output.split(REDRAWN);
    if (columns === 80) assert.match(before, /\x1b\[31m.*a-host-of-a/, "problems are red");
    else assert.doesNotMatch(output, /\x1b\[[\d;]*m/);
    assert.match(after, /\x1b\[\?25h(\^C)?\s*$/, "the cursor is restored");
    const lines = output.replace(ESCAPES, "").split(/[\r\n]+/);
    for (const line of lines) assert.ok(line.replace("^C", "").length <= columns, `${line.length}: ${line}`);
    if (columns === 80) assert.match(output, /MEMORY +REFUSED/);
    assert.ok(
      lines.some((line) => /^127\.0[.\d…]*:\d+ +127\.0[.\d…]*:\d+ +away/.test(line)),
      lines.join("\n"),
    );
  }
});

test("a signal that ends the program also restores the cursor", async () => {
  await using cluster = await startCluster(1);
  for (const signal of ["SIGTERM", "SIGHUP"] as const) {
    const { output } = await watched(["-s", cluster.daemons.servers], 80, {}, (_, pid) =>
      process.kill(pid, signal),
    );
    assert.match(output, /\x1b\[\?25l[\s\S]*\x1b\[\?25h(?![\s\S]*\x1b\[\?25l)/, signal);
  }
});

test("in a pipe the updates follow each other without escapes, and a closed pipe ends the program", async () => {
  await using cluster = await startCluster(1);
  const args = [programPaths.dbsync, "status", "--watch", "-s", cluster.daemons.servers];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  let output = "";
  for await (const bytes of child.stdout) {
    output += String(bytes);
    if (output.split("ADDRESS").length > 2) break;
  }
  assert.doesNotMatch(output, /\x1b/);
  assert.match(output, /^1 of 1 ready, no problems\n\nADDRESS.*\n127.*\n(.*\n)*\nADDRESS/);
  const [code] = (await closed) as [number | null];
  assert.ok(code === 0 || code === null || code === 141, `${code}`);
});

test("control characters from a server are escaped", () => {
  const problems = [{ text: "its disk \x1b[2J", fix: "look" }];
  const daemon = { ...NOT_HEARD, problems } as unknown as DaemonStatus;
  const scene = { daemons: [daemon], rates: new Rates(), now: 0, columns: 80 };
  const text = watchedLines(scene).map((line) => line.text);
  assert.ok(text.includes("FAIL  a:1: its disk \\x1b[2J; look"), text.join("\n"));
});

test("the screen shows the slots and units that were decided per second, and marks daemons that are blocked", () => {
  const rates = new Rates();
  const seen = (now: number, parts: Partial<typeof WELL>): DaemonStatus[] => {
    const timeline = { ...WELL, keeper: "ab", decidedAt: NOW - 3_000, ...parts };
    const daemons = [{ ...NOT_HEARD, problems: [], timeline }] as unknown as DaemonStatus[];
    rates.update(daemons, now);
    return daemons;
  };
  seen(NOW - 2_000, { decidedSlots: 100, decidedUnits: 90 });
  const blocked = { decidedSlots: 140, decidedUnits: 120, waitingEnvelopes: 7, undecidedCause: "votes" };
  const daemons = seen(NOW, blocked);
  const lines = watchedLines({ daemons, rates, now: NOW, columns: 140 });
  const index = lines.findIndex(({ text }) => text.startsWith("DECISIONS OF"));
  const { text, tone } = lines[index + 1] ?? assert.fail();
  assert.match(text, /^a:1 +10\.0\.0\.2:1111 +20 +15 +3 s +7 +votes/);
  assert.equal(tone, "bad");
});

test("long lines are shortened or wrapped to the width, and the height of each bar shows its value", () => {
  assert.equal(clip("127.0.0.1:1111", 10), "127.0.0.1…");
  assert.equal(clip("short", 10), "short");
  assert.deepEqual(wrapped("FAIL  a:1: it is away; start it", 20), [
    "FAIL  a:1: it is",
    "      away; start it",
  ]);
  assert.equal(bars([0, 5, 10]), "▁▅█");
  const lines = watchedLines({ daemons: [], rates: new Rates(), now: 0, columns: 20 });
  assert.deepEqual(
    lines.map(({ text }) => text.length),
    [20],
  );
});
