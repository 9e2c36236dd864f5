/**
 * Signs in an administrator, whose key may read more data. The page then loads the client dbsyncd/browser, which sends
 * signed requests to the daemon's --ws. The daemon checks each request against the key's rules.
 */
import type { DashboardFrame } from "../../../protocol/json/dashboard-frame.js";
import { prepareLog, showClients, showDeadLetters, showKeyList, showSlow } from "./administrator-tables.js";
import { byId, setText } from "./elements.js";
import { KeyBrowser } from "./key-browser.js";
import type { SigningClient, SigningModule } from "./replies.js";

/** The name under which the browser stores the key, for pages of this address. */
const KEY_NAME = "dashboard";
/** The rules that the page needs; all its requests are reads. */
const RULES =
  "+@read +timeline|log +timeline|blame +timeline|deadletters +key|list +config|get +client|list +slowlog|get ~*";

export function prepareSigning(frame: () => DashboardFrame | null): void {
  let client: SigningClient | null = null;
  setText(
    byId("authorize"),
    `dbsync keys add page.pem --label dashboard --rules "${RULES}" -k root-private.pem`,
  );
  byId("unlock").addEventListener("click", async () => {
    setText(byId("signed-problem"), "");
    try {
      client ??= await open(frame());
      showKeyList(await client.call(["KEY", "LIST"]));
    } catch (problem) {
      await explain(problem, client);
      return;
    }
    byId("introduce").hidden = true;
    byId("sign-in").hidden = true;
    if (byId("admitted").hidden) showAdministration(client);
  });
}

/** Shows how to sign in, or what the daemon needs before an administrator can sign in. */
export function showSignIn({ keys, ws }: DashboardFrame): void {
  const missing = [
    ...(keys === null ? ["-s"] : []),
    ...(keys?.["root"] === undefined ? ["--root-key"] : []),
    ...(ws === null ? ["--ws"] : []),
  ];
  const canSignIn = missing.length === 0;
  byId("no-sign-in").hidden = canSignIn;
  const reason = keys === null ? "This daemon accepts unsigned commands: it has no keys and no log. " : "";
  const options = `${missing.slice(0, -1).join(", ")}${missing.length > 1 ? " and " : ""}${missing.at(-1) ?? ""}`;
  setText(
    byId("no-sign-in"),
    `${reason}To sign in here, start it with ${options}: an administrator's key authorizes this browser, and --ws receives the page's signed requests.`,
  );
  byId("sign-in").hidden = !canSignIn || !byId("admitted").hidden;
}

/** Shows the parts for administrators. Each part loads its data and shows its own error. */
function showAdministration(client: SigningClient): void {
  byId("admitted").hidden = false;
  const read = () => {
    void showSlow(client);
    void showClients(client);
    void showDeadLetters(client);
  };
  read();
  byId("refresh").addEventListener("click", read);
  byId("refresh").focus();
  prepareLog(client);
  new KeyBrowser(client).start();
}

async function open(frame: DashboardFrame | null): Promise<SigningClient> {
  // The button is shown only while a frame names this address.
  if (frame === null || frame.ws === null) throw new Error("the daemon has no --ws");
  if (!isSecureContext)
    throw new Error("browsers sign only on pages loaded by https or from localhost: use a tunnel (ssh -L)");
  const path = "/dbsync.js";
  const { createClient } = (await import(path)) as SigningModule;
  const { port, isSecure } = frame.ws;
  return createClient({
    servers: `${isSecure ? "wss" : "ws"}://${location.hostname}:${port}`,
    key: KEY_NAME,
    timeout: 10_000,
  });
}

/**
 * Explains an error: the key is unknown or has no permission, or the daemon does not accept connections from the page.
 */
async function explain(problem: unknown, client: SigningClient | null): Promise<void> {
  const text = String(problem instanceof Error ? problem.message : problem);
  if (client === null) {
    setText(byId("signed-problem"), text);
    return;
  }
  if (/unknown-key|NOPERM|refused|revoked/.test(text)) {
    byId<HTMLTextAreaElement>("pem").value = await client.publicKeyPem();
    byId("introduce").hidden = false;
    const isNew = /unknown-key/.test(text);
    setText(byId("signed-problem"), isNew ? "The daemon does not know this browser's key yet." : text);
    return;
  }
  const cure = `If --ws is not on loopback, or --ws-origin names other sites, start the daemon also with --ws-origin ${location.origin}.`;
  setText(byId("signed-problem"), `${text}. ${cure}`);
}
