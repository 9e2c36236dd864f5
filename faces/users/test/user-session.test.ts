/**
 * Tests the user session of a connection: it checks permissions and memory, and is renewed when the users change.
 */
import "../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemoryLimit } from "../../../daemon/engine/memory/memory-limit.js";
import { findCommand } from "../../../daemon/store/command-table.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { double } from "../../../test/support/double.js";
import { UserSession } from "../user-session.js";
import { Users } from "../users.js";

/**
 * Creates a session. @param rules  the default user's rules @param annsRules  the rules of the user ann, with the
 * password "pw"
 */
function makeScene(rules: ByteString, annsRules = "on >pw ~* +@all") {
  const users = changed(changed(new Users(null), "default", rules), "ann", annsRules);
  const memory = { isFull: false, refuses: (needsMemory: boolean) => needsMemory, refusal: () => null };
  const session = new UserSession(users, double<MemoryLimit>(memory));
  const denial = (text: string, needsNoLogin = false) => {
    const argv = text.split(" ");
    const command = findCommand(argv[0] as string) as Command;
    return session.denial(command, argv, command.flags.includes("denyoom"), needsNoLogin);
  };
  return { users, memory, session, denial };
}

const changed = (users: Users, name: ByteString, rules: ByteString) => users.changed(name, rules.split(" "));

test("without a required login the session belongs to the default user", () => {
  const { session, denial } = makeScene("on nopass");
  assert.equal(session.name, "default");
  assert.equal(session.readsAll, true);
  assert.equal(denial("SET k v"), null);
});

test("before a login only open commands are permitted", () => {
  const { session, denial } = makeScene("off");
  assert.equal(session.user, null);
  assert.equal(denial("GET k"), "no-login");
  assert.equal(denial("GET k", true), null);
  assert.equal(session.logIn("ann", "wrong"), false);
  assert.equal(denial("GET k"), "no-login");
  assert.equal(session.logIn("ann", "pw"), true);
  assert.equal(denial("GET k"), null);
  session.logOut();
  assert.equal(session.user, null);
});

test("permission is checked before memory, even if no login is needed", () => {
  const { session, memory, denial } = makeScene("off", "on >pw ~own +@all -lpush");
  memory.isFull = true;
  assert.equal(denial("SET own v"), "no-login");
  assert.equal(denial("SET own v", true), "no-memory");
  session.logIn("ann", "pw");
  assert.deepEqual(denial("LPUSH own v"), { what: "command" });
  assert.deepEqual(denial("SET other v"), { what: "key", key: "other" });
  assert.equal(denial("SET own v"), "no-memory");
  assert.equal(denial("GET own"), null);
  memory.isFull = false;
  assert.equal(denial("SET own v"), null);
});

test("changed rules apply once the session is renewed", () => {
  const { session, users, denial } = makeScene("off");
  session.logIn("ann", "pw");
  users.replaceAll(changed(users, "ann", "-set"));
  assert.equal(denial("SET k v"), null);
  assert.equal(session.renew(), true);
  assert.deepEqual(denial("SET k v"), { what: "command" });
});

test("a user that is disabled or removed is logged out", () => {
  for (const change of [
    (users: Users) => users.replaceAll(changed(users, "ann", "off")),
    (users: Users) => users.remove("ann"),
  ]) {
    const { session, users, denial } = makeScene("on nopass");
    session.logIn("ann", "pw");
    change(users);
    assert.equal(session.renew(), false);
    assert.equal(session.user, null);
    assert.equal(denial("GET k"), "no-login");
    assert.equal(session.renew(), true, "the change is reported once");
  }
});

test("a session without a login has the default user while that user needs no password", () => {
  const { session, users } = makeScene("off");
  users.replaceAll(changed(users, "default", "on nopass"));
  assert.equal(session.renew(), true);
  assert.equal(session.name, "default");
  users.replaceAll(changed(users, "default", "off"));
  assert.equal(session.renew(), false);
  assert.equal(session.user, null);
});
