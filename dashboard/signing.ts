/**
 * What is told to an administrator's key alone: keys and their rules, and the log. The client of dbsyncd/browser is loaded when somebody
 * signs in, and speaks to the daemon's --ws, which asks for a signature as it does of everybody.
 */
import type { DashboardFrame } from "../protocol/json/dashboard-frame.js";
import { at, type Cell, fillTable, say } from "./elements.js";
import type { SignedReply, SigningClient, SigningModule } from "./signing-client.js";
import { countText } from "./texts.js";

/** In this browser, for pages of this address. */
const KEY_NAME = "dashboard";
const UNITS_MOST = 200;
const ID_DIGITS = 12;

type Fields = Readonly<Record<string, SignedReply | undefined>>;

export function prepareSigning(frame: () => DashboardFrame | null): void {
  let client: SigningClient | null = null;
  at("unlock").addEventListener("click", async () => {
    say(at("signed-problem"), "");
    try {
      client ??= await open(frame());
      showKeys(await client.call(["KEY", "LIST"]));
      at("introduce").hidden = true;
      at("admitted").hidden = false;
    } catch (problem) {
      await explain(problem, client);
    }
  });
  at("search").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (client === null) return;
    say(at("found"), "Searching…");
    try {
      showLog(await client.call(queryOf((id) => at<HTMLInputElement>(id).value.trim())));
    } catch (problem) {
      say(at("found"), String(problem));
    }
  });
}

async function open(frame: DashboardFrame | null): Promise<SigningClient> {
  if (frame === null) throw new Error("the daemon has not been heard yet");
  if (frame.keys === null)
    throw new Error("this daemon takes commands without signatures: it has no keys, and no log");
  if (frame.ws === null)
    throw new Error("this daemon has no --ws, by which the page could sign: start it with one");
  if (!isSecureContext)
    throw new Error(
      "a browser signs only on pages that came by https, or from localhost: use a tunnel (ssh -L)",
    );
  const path = "/dbsync.js";
  const { createClient } = (await import(path)) as SigningModule;
  const { port, isSecure } = frame.ws;
  return createClient({
    servers: `${isSecure ? "wss" : "ws"}://${location.hostname}:${port}`,
    key: KEY_NAME,
    timeout: 10_000,
  });
}

/** What to do about it: the key is not known, or it may not, or the daemon does not let the page in. */
async function explain(problem: unknown, client: SigningClient | null): Promise<void> {
  const text = String(problem instanceof Error ? problem.message : problem);
  if (client === null) return say(at("signed-problem"), text);
  if (/unknown-key|NOPERM|refused|revoked/.test(text)) {
    at<HTMLTextAreaElement>("pem").value = await client.publicKeyPem();
    at("introduce").hidden = false;
    const isNew = /unknown-key/.test(text);
    return say(at("signed-problem"), isNew ? "The daemon does not know this browser's key yet." : text);
  }
  const cure = `Where --ws is not on loopback, or names others, start the daemon with --ws-origin ${location.origin} too.`;
  say(at("signed-problem"), `${text}. ${cure}`);
}

function queryOf(value: (id: string) => string): string[] {
  const from = Date.now() - Math.max(1, Number(value("minutes"))) * 60_000;
  const words = ["TIMELINE", "LOG", "FROM", String(from), "LIMIT", String(UNITS_MOST)];
  if (value("touching") !== "") words.push("KEY", value("touching"));
  if (value("signer") !== "") words.push("SIGNER", value("signer"));
  return words;
}

function fieldsOf(reply: SignedReply | undefined): Fields {
  if (!Array.isArray(reply)) return {};
  const pairs: [string, SignedReply | undefined][] = [];
  for (let i = 0; i + 1 < reply.length; i += 2) pairs.push([String(reply[i]), reply[i + 1]]);
  return Object.fromEntries(pairs);
}

const itemsOf = (reply: SignedReply | undefined): readonly SignedReply[] =>
  Array.isArray(reply) ? reply : [];

function showKeys(reply: SignedReply): void {
  const rows = itemsOf(reply).map((item): Cell[] => {
    const { label, state, role, rules, id } = fieldsOf(item);
    return [
      { text: String(label || "–") },
      { text: String(state), className: state === "valid" ? "good" : "bad" },
      { text: String(role) },
      { text: itemsOf(rules).join(" ") },
      { text: String(id).slice(0, ID_DIGITS) },
    ];
  });
  fillTable(at("key-list"), rows);
}

function showLog(reply: SignedReply): void {
  const { units, left } = fieldsOf(reply);
  const rows = itemsOf(units).map((item): Cell[] => {
    const { at: date, label, signer, as, commands, outcome, reply: answer } = fieldsOf(item);
    const by = String(label || String(signer).slice(0, ID_DIGITS));
    const words = itemsOf(commands).map((argv) => itemsOf(argv).join(" "));
    return [
      { text: new Date(Number(date)).toLocaleString() },
      { text: as == null ? by : `${by} for ${String(as)}` },
      { text: words.join("; ") },
      { text: String(outcome), className: outcome === "applied" ? "" : "warn" },
      { text: String(answer) },
    ];
  });
  fillTable(at("log"), rows);
  at("log").hidden = rows.length === 0;
  const more = Number(left) > 0 ? `; ${countText(Number(left))} older ones are not shown` : "";
  say(at("found"), rows.length === 0 ? "Nothing was recorded." : `${countText(rows.length)} found${more}.`);
}
