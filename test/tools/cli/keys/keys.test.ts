/** Tests the changes, the output and the errors of `dbsync keys` with real daemons. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { generateKeyPair } from "../../../../keys/generate-keys.js";
import { FakeServer } from "../../../client/fake-server.js";
import { some } from "../../../support/amount.js";
import { refusingAddress } from "../../../support/free-port.js";
import { type Cluster, startCluster } from "../cluster.js";

let cluster: Cluster;

before(async () => {
  cluster = await startCluster(2);
});
after(() => cluster[Symbol.asyncDispose]());

/** Runs `dbsync keys` as the administrator. */
const keys = (name: string, ...args: string[]) => cluster.run(["keys", name, "-k", "root.pem", ...args]);
const send = (key: string, ...command: string[]) => cluster.run(["send", "-k", key, ...command]);

/** The advice to change the rules of a key that exists. */
const RULES_HINT = /\nWhat to do: .*; change its rules with dbsync keys rules, for example /;

interface ListedKey {
  readonly id: string;
  readonly label: string;
  readonly role: string;
  readonly state: string;
  readonly until: number | null;
  readonly rate: number;
  readonly rules: string[];
}

async function listed(label: string): Promise<ListedKey | undefined> {
  const { stdout } = await keys("list", "--json");
  const { keys: found, differ } = JSON.parse(stdout) as { keys: ListedKey[]; differ: boolean };
  assert.ok(!differ);
  return found.find((key) => key.label === label);
}

describe("dbsync keys", () => {
  test("adds a key with rules, changes the rules, and revokes the key", async () => {
    assert.equal((await send("web.pem", "GET", "app:1")).code, 1);
    const dates = ["--until", "2099-12-31", "--rate", "50"];
    const added = await keys("add", "web-public.pem", "--label", "web", "--rules", "+@read ~app:*", ...dates);
    assert.equal(added.stderr, "");
    assert.match(added.stdout, /^added [\da-f]{64}, on all 2 daemons\n$/);
    const key = await listed("web");
    assert.deepEqual(
      [key?.role, key?.state, key?.until, key?.rate, key?.rules],
      ["application", "valid", Date.UTC(2100, 0, 1) - 1, 50, ["+@read", "~app:*"]],
    );
    assert.equal((await send("web.pem", "GET", "app:1")).stdout, "(nil)\n");
    assert.match((await send("web.pem", "SET", "app:1", "x")).stderr, /NOPERM/);

    const denied = await keys("dryrun", "web", "SET", "app:1", "x");
    assert.deepEqual([denied.code, denied.stdout.startsWith("NOPERM")], [1, true]);
    const rules = await keys("rules", key?.id.slice(0, 10) ?? "", "+@all", "-@admin", "~app:*");
    assert.match(rules.stdout, / has the new rules, on all 2 daemons\n$/);
    const permitted = await keys("dryrun", "web", "SET", "app:1", "x");
    assert.deepEqual([permitted.code, permitted.stdout], [0, "OK\n"]);
    assert.equal((await send("web.pem", "SET", "app:1", "x")).stdout, "OK\n");

    const again = await keys("add", "web-public.pem", "--label", "web", "--rules", "+@read ~*");
    assert.equal(again.code, 1);
    assert.match(again.stderr, /this key exists with other rules/);
    assert.match(again.stderr, RULES_HINT);

    const revoked = await keys("revoke", "web-public.pem");
    assert.match(revoked.stdout, /^revoked [\da-f]{64}, on all 2 daemons\n$/);
    assert.match((await send("web.pem", "GET", "app:1")).stderr, /revoked/);
    assert.equal((await listed("web"))?.state, "revoked");
    assert.match((await keys("rules", "web", "+@all")).stderr, /this key was revoked/);
  });

  test("list prints a table", async () => {
    const { code, stdout } = await keys("list");
    assert.equal(code, 0);
    assert.match(stdout, /^ID +LABEL +ROLE +KIND +STATE +VALID +RATE +RULES\n/);
    assert.match(stdout, /\n[\da-f]{16} {2}\S+ +root +ed25519 +valid +always +- +\+@all ~\*\n/);
  });

  test("info shows a key with its PEM text, and as JSON", async () => {
    const id = (await listed("app-public"))?.id ?? assert.fail("the key of -s is in the list");
    const { stdout } = await keys("info", id);
    assert.match(stdout, new RegExp(`^id +${id}\\n[\\s\\S]*\\nrules +\\+@all -@admin ~\\*\\n`));
    assert.match(stdout, /\n-----BEGIN PUBLIC KEY-----\n[\s\S]*-----END PUBLIC KEY-----\n$/);
    const json = JSON.parse((await keys("info", "--json", id)).stdout) as ListedKey & { publicKey: string };
    assert.deepEqual(
      [json.id, json.role, json.publicKey.includes("BEGIN PUBLIC KEY")],
      [id, "application", true],
    );
  });

  for (const [args, code, message] of some(
    [
      [["add", "web.pem"], 3, /contains a private key instead of a public one/],
      [["add", "none.pem"], 3, /none\.pem does not exist/],
      [["add", "stranger-public.pem", "--rules", "+@foo"], 1, /The command failed.*: .*rule '\+@foo'/],
      [["add", "stranger-public.pem", "--until", "soon"], 2, /--until is "soon", allowed: a date such as/],
      [["add", "stranger-public.pem", "--rate", "x"], 2, /A rate is a whole number/],
      [["add"], 2, /missing required argument/],
      [["revoke", "missing"], 2, /^dbsync: The command cannot be sent: there is no key "missing"/],
      [["info", "ab".repeat(32)], 1, /there is no key/],
      [["shuffle"], 2, /unknown command 'shuffle'/],
    ] as const,
    4,
  )) {
    test(`reports the error of ${args.join(" ")}`, async () => {
      const [name = "", ...rest] = args;
      const result = await cluster.run([
        "keys",
        name,
        ...rest,
        ...(name === "shuffle" ? [] : ["-k", "root.pem"]),
      ]);
      assert.deepEqual([result.code, result.stdout], [code, ""]);
      assert.match(result.stderr, message);
    });
  }
});

describe("dbsync keys without an administrator's key", () => {
  const hint =
    /\nWhat to do: .*dbsyncd -s public\.pem --root-key root-public\.pem.* \(-k root-private\.pem\)\./;

  test("reports that the key is an application's, or unknown", async () => {
    const app = await cluster.run(["keys", "list", "-k", "app.pem"]);
    assert.equal(app.code, 1);
    assert.match(app.stderr, /NOPERM .*'key list'/);
    assert.match(app.stderr, hint);
    const foreign = await cluster.run(["keys", "revoke", "-k", "stranger.pem", "ab".repeat(32)]);
    assert.match(foreign.stderr, /unknown-key/);
    assert.match(foreign.stderr, hint);
  });

  test("reports a missing key with exit code 3, as text and as JSON", async () => {
    const none = await cluster.run(["keys", "list"]);
    assert.equal(none.code, 3);
    assert.match(none.stderr, hint);
    const { stdout } = await cluster.run(["keys", "list", "--json"]);
    const { error } = JSON.parse(stdout) as { error: { code: string; hint: string } };
    assert.equal(error.code, "bad-key");
    assert.match(error.hint, /--root-key/);
  });
});

describe("dbsync keys with a daemon that is down or of version 1", () => {
  test("sends the change to the other daemons, names the daemon that did not receive it, and exits with 1", async () => {
    const servers = `${cluster.daemons.servers},${await refusingAddress()}`;
    const { code, stdout } = await keys("add", "stranger-public.pem", "--label", "late", "-s", servers);
    assert.equal(code, 1);
    assert.match(stdout, /: connect: no connection.*\nNot all daemons made the change\./);
    assert.equal((await listed("late"))?.state, "valid");
    const list = await keys("list", "-s", servers);
    assert.equal(list.code, 1);
    assert.match(list.stderr, /^dbsync: 127\.0\.0\.1:\d+: connect: no connection/);
    const again = await keys("add", "stranger-public.pem", "--label", "late");
    assert.equal(again.code, 0);
  });

  test("reports that the lists differ", async () => {
    const [one] = cluster.daemons.daemons;
    await keys("rules", "-s", one?.servers ?? "", "late", "+@read", "~*");

    const { code, stdout } = await keys("list");
    assert.equal(code, 1);
    assert.match(stdout, /\nThe daemons' lists differ\. This is the list of the first daemon;/);
    assert.match(stdout, /\n[\da-f]{16} \(late\): on 127\.0\.0\.1:\d+ rules \+@read ~\*\n/);

    const json = JSON.parse((await keys("list", "--json")).stdout) as { differences: { label: string }[] };
    assert.deepEqual(
      json.differences.map(({ label }) => label),
      ["late"],
    );

    const dry = await keys("dryrun", "late", "SET", "k", "v");
    assert.equal(dry.code, 1);
    assert.match(dry.stdout, /^127\.0\.0\.1:\d+: NOPERM.*\n127\.0\.0\.1:\d+: OK\n$/);

    const added = ["stranger-public.pem", "--label", "late"];
    const partly = await keys("add", ...added);
    assert.equal(partly.code, 1);
    assert.match(partly.stdout, RULES_HINT);
    const { hints } = JSON.parse((await keys("add", "--json", ...added)).stdout) as { hints: string[] };
    assert.equal(hints.length, 1);

    await keys("revoke", "-s", one?.servers ?? "", "late");
    const refused = await keys("rules", "late", "+@all", "~*");
    assert.equal(refused.code, 1);
    assert.match(
      refused.stdout,
      /\nNot all daemons made the change: 127\.0\.0\.1:\d+ refused it, and would refuse it again\./,
    );
  });

  test("reports that a daemon of version 1 has no such commands", async () => {
    await using old = await FakeServer.start();
    const { code, stderr } = await keys("list", "-s", old.address);
    assert.ok(code === 1 || code === 3);
    assert.match(stderr, /\nWhat to do: KEY commands need version 2/);
  });
});

describe("dbsync keys with wrong arguments", () => {
  test("reports as JSON that a file cannot be used", async () => {
    const { code, stdout } = await keys("add", "none.pem", "--json");
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
    assert.deepEqual([code, error.code], [3, "bad-key"]);
    assert.match(error.message, /none\.pem does not exist/);
  });

  test("warns of a label that another key has, and of a key that is already expired", async () => {
    const { publicPem } = await generateKeyPair({ type: "ed25519", bits: 2048 });
    writeFileSync(join(cluster.folder, "past-public.pem"), publicPem);
    const past = ["--label", "app-public", "--until", "2020-01-01"];
    const { code, stderr } = await keys("add", "past-public.pem", ...past);
    assert.equal(code, 0);
    assert.match(stderr, /warning: --until 2020-01-01 is in the past/);
    assert.match(stderr, /warning: the key [\da-f]{16} also has the label "app-public"/);
    assert.match((await keys("list")).stdout, / expired /);
  });

  test("shows when a key was revoked", async () => {
    const { stdout } = await keys("list");
    assert.match(stdout, / REVOKED \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ /);
    assert.match((await keys("info", "web")).stdout, /\nstate +REVOKED \d{4}/);
  });

  test("dryrun accepts the command as one argument", async () => {
    const { code, stdout } = await keys("dryrun", "app-public.pem", "GET app:a");
    assert.deepEqual([code, stdout], [0, "OK\n"]);
  });
});
