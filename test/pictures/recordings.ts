/** Records dbsync repl, top, status --watch and doctor on a terminal of 80 columns, as plain text from tmux. */
import { basename } from "node:path";
import { WatchedCluster } from "../tools/admin/dashboard/watched-cluster.js";
import { isAtPrompt, TmuxTerminal } from "./tmux-terminal.js";

const ROWS = 30;
const WHEN_LIVE = "dbsync status --wait > /dev/null; echo live";

export async function recordings(): Promise<Record<string, string>> {
  await using cluster = await WatchedCluster.start();
  const writing = new AbortController();
  const written = keepWriting(cluster, writing.signal);

  const variables = {
    DBSYNC_SERVERS: cluster.trio.servers.join(),
    // The path is relative to the folder of the shell.
    DBSYNC_SIGNKEY: basename(cluster.rootFile),
  };

  const recorded: Record<string, string> = {};
  const record = async (name: string, play: (terminal: TmuxTerminal) => Promise<string>) => {
    using terminal = new TmuxTerminal(cluster.folder, variables, ROWS);
    await terminal.shows("the shell's prompt", (screen) => screen === "$");
    recorded[name] = `${await play(terminal)}\n`;
  };

  try {
    await record("live", (terminal) => terminal.line(WHEN_LIVE, (screen) => screen.includes("\nlive")));
    delete recorded["live"];
    await record("doctor.txt", (terminal) => terminal.line("dbsync doctor", isAtPrompt));
    await record("repl.txt", playRepl);
    await record("top.txt", (terminal) =>
      terminal.line("dbsync top", (screen) => /live +[1-9]\d* /.test(screen) && /[▁-█]{5}/.test(screen)),
    );
    await record("status-watch.txt", async (terminal) => {
      await terminal.line("dbsync status --watch", (screen) => /[▁-█]{4}/.test(screen));
      await cluster.trio.end(2, "SIGKILL");
      return terminal.shows("the missing daemon", (screen) => /2 of 3 ready/.test(screen));
    });
  } finally {
    writing.abort();
    await written;
  }
  return recorded;
}

const REPL_LINES: readonly (readonly [line: string, awaited: string])[] = [
  ["SET greeting hello", "OK"],
  ["GET greeting", '"hello"'],
  ["RPUSH tags red green blue", "(integer) 3"],
  ["LRANGE tags 0 -1", '3) "blue"'],
  ["INCR greeting", "ERR value is not an integer"],
  ["HSET user:1 name Ada age 36", "(integer) 2"],
  ["HGETALL user:1", '"36"'],
];

async function playRepl(terminal: TmuxTerminal): Promise<string> {
  await terminal.line("dbsync repl", (screen) => />\s*$/.test(screen));
  let screen = "";
  for (const [line, awaited] of REPL_LINES)
    screen = await terminal.line(
      line,
      (text) => text.slice(text.lastIndexOf(line)).includes(awaited) && />\s*$/.test(text),
    );
  return screen;
}

/** Writes to the first two daemons every 100 ms until the signal is aborted. */
async function keepWriting(cluster: WatchedCluster, signal: AbortSignal): Promise<void> {
  for (let n = 0; !signal.aborted; n++) {
    // The daemon may be down.
    await Promise.allSettled([0, 1].map((index) => cluster.write(index, ["INCR", `k${n % 20}`])));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
