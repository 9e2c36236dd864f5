/**
 * Signs an administrator in, whose key may read more. The client of dbsyncd/browser is then loaded, and speaks to the daemon's --ws,
 * which judges each signed request by the key's rules.
 */
import type { DashboardFrame } from "../protocol/json/dashboard-frame.js";
import { at, say } from "./elements.js";
import { KeyBrowser } from "./keys.js";
import { prepareLog, showKeyList, showLetters } from "./records.js";
import type { SigningClient, SigningModule } from "./signing-client.js";
import { showClients, showSlow } from "./work.js";

/** The key's name in this browser, for pages of this address. */
const KEY_NAME = "dashboard";
/** The rules that the page needs; all of its requests read. */
const RULES =
  "+@read +timeline|log +timeline|blame +timeline|deadletters +key|list +config|get +client|list +slowlog|get ~*";

export function prepareSigning(frame: () => DashboardFrame | null): void {
  let client: SigningClient | null = null;
  say(at("authorize"), `dbsync keys add page.pem --label dashboard --rules "${RULES}" -k root-private.pem`);
  at("unlock").addEventListener("click", async () => {
    say(at("signed-problem"), "");
    try {
      client ??= await open(frame());
      showKeyList(await client.call(["KEY", "LIST"]));
    } catch (problem) {
      await explain(problem, client);
      return;
    }
    at("introduce").hidden = true;
    at("sign-in").hidden = true;
    if (at("admitted").hidden) admit(client);
  });
}

/** The parts read what they show; a reading that fails shows why in its own place. */
function admit(client: SigningClient): void {
  at("admitted").hidden = false;
  const read = () => {
    void showSlow(client);
    void showClients(client);
    void showLetters(client);
  };
  read();
  at("refresh").addEventListener("click", read);
  at("refresh").focus();
  prepareLog(client);
  new KeyBrowser(client).start();
}

async function open(frame: DashboardFrame | null): Promise<SigningClient> {
  if (frame === null) throw new Error("the daemon has sent nothing yet");
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

/** Explains a failure: the key is not known, or has no permission, or the daemon does not take connections of the page. */
async function explain(problem: unknown, client: SigningClient | null): Promise<void> {
  const text = String(problem instanceof Error ? problem.message : problem);
  if (client === null) {
    say(at("signed-problem"), text);
    return;
  }
  if (/unknown-key|NOPERM|refused|revoked/.test(text)) {
    at<HTMLTextAreaElement>("pem").value = await client.publicKeyPem();
    at("introduce").hidden = false;
    const isNew = /unknown-key/.test(text);
    say(at("signed-problem"), isNew ? "The daemon does not know this browser's key yet." : text);
    return;
  }
  const cure = `Where --ws is not on loopback, or names other pages, start the daemon with --ws-origin ${location.origin} too.`;
  say(at("signed-problem"), `${text}. ${cure}`);
}
