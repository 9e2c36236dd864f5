/** Tests how `dbsync members` authorizes the keys of daemons that it adds, and how long it retries. */
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { test } from "node:test";
import { hexOf } from "../../../../protocol/version-2/envelope.js";
import {
  type Authorization,
  authorizeAdded,
  type SendingFailure,
} from "../../../../tools/cli/members/daemon-key-authorization.js";
import type { MemberView } from "../../../../tools/cli/members/member-views.js";
import { CLUSTER, idOf } from "../../../daemon/timeline/members/lists.js";
import { type KeyPair, makeKeyPair } from "../../../support/envelope-client.js";

const member = hexOf(idOf("A"));
const pair = makeKeyPair();
/** The id of the added daemon. */
const added = hexOf(pair.id);
const key = spkiOf(pair);
const COMMAND = ["CLUSTER", "ADD", key];

function spkiOf({ privateKey }: KeyPair): string {
  return createPublicKey(privateKey).export({ type: "spki", format: "der" }).toString("base64");
}

const view = (id: string, other: Partial<MemberView> = {}): MemberView => ({
  address: "a:1111",
  id,
  cluster: hexOf(CLUSTER),
  state: "live",
  durable: true,
  joining: false,
  reporting: true,
  order: null,
  waitsFor: null,
  refusal: null,
  authorize: null,
  lists: [],
  peers: [],
  ...other,
});

const unseen = view(member);
const seeing = (its: string | null): MemberView =>
  view(member, { peers: [{ id: added, address: "d:1111", connection: "connected", key: its }] });
const asking = (command: string): MemberView => view(added, { authorize: command });

interface Run {
  readonly authorized: readonly Authorization[];
  readonly sent: readonly (readonly string[])[];
}

/**
 * Runs an authorization.
 * @param answers  the daemons' reports, one per attempt; the run ends after the last one
 * @param outcomes  the outcomes of the commands, in order
 */
async function authorize(
  answers: readonly (readonly MemberView[])[],
  outcomes: readonly (SendingFailure | null)[] = [],
): Promise<Run> {
  const [views = [], ...later] = answers;
  const sent: (readonly string[])[] = [];
  const authorized = await authorizeAdded([added], {
    views,
    query: async () => later.shift() ?? assert.fail(),
    next: async () => later.length > 0,
    send: async (command) => outcomes[sent.push(command) - 1] ?? null,
  });
  return { authorized, sent };
}

const BUSY: SendingFailure = { problem: "it is catching up", isTemporary: true };
const DENIED: SendingFailure = { problem: "NOPERM", isTemporary: false };
const fine = { id: added, problem: null, isPending: false };

test("the program waits until a member knows the new daemon's key, and authorizes it once", async () => {
  const { authorized, sent } = await authorize([[unseen], [seeing(null)], [seeing(key)], [seeing(key)]]);
  assert.deepEqual({ authorized, sent }, { authorized: [fine], sent: [COMMAND] });
});

test("a daemon that needs no authorization causes no error, even if no member knew its key", async () => {
  const { authorized, sent } = await authorize([[unseen], [unseen, view(added)]]);
  assert.deepEqual({ authorized, sent }, { authorized: [], sent: [] });
});

test("the program retries while members temporarily refuse writes, but not if they deny the command", async () => {
  const late = await authorize([[seeing(key)], [seeing(key)], [seeing(key)]], [BUSY, BUSY, null]);
  assert.deepEqual([late.authorized, late.sent.length], [[fine], 3]);
  const { authorized, sent } = await authorize([[seeing(key)], [seeing(key)]], [DENIED]);
  assert.deepEqual([authorized[0]?.isPending, sent.length], [false, 1]);
  assert.equal(authorized[0]?.problem, `NOPERM. As administrator: dbsync send ${COMMAND.join(" ")}`);
});

test("after the time limit, the authorization is reported as pending, with the reason", async () => {
  const [never] = (await authorize([[unseen], [unseen]])).authorized;
  assert.deepEqual(
    [never?.isPending, /no member knows its key yet/.test(never?.problem ?? "")],
    [true, true],
  );
  const [busy] = (await authorize([[seeing(key)]], [BUSY])).authorized;
  assert.deepEqual([busy?.isPending, busy?.problem?.startsWith("it is catching up. ")], [true, true]);
});

test("a daemon cannot make the administrator sign any command except the authorization of its own key", async () => {
  const other = spkiOf(makeKeyPair());
  for (const command of ["FLUSHALL", `CLUSTER ADD ${other}`, `KEY ADD ${other} ADMIN`, ""]) {
    const { authorized, sent } = await authorize([[unseen, asking(command)]]);
    assert.deepEqual([sent, authorized[0]?.isPending], [[], true], command);
  }
  assert.deepEqual((await authorize([[seeing(other)]])).sent, []);
  assert.deepEqual((await authorize([[unseen, asking(`KEY REVOKE ${key}`)]])).sent, [COMMAND]);
});
