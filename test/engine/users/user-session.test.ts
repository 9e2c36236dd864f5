/** Tests the user session of a connection: renewed with the users, and one check for permission and memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemoryLimit } from "../../../engine/memory/memory-limit.js";
import { UserSession } from "../../../engine/users/user-session.js";
import { Users } from "../../../engine/users/users.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { findCommand } from "../../../store/command-table.js";
import type { Command } from "../../../store/rows/command.js";
import { double } from "../../support/double.js";

/** Makes a session. @param rules  of the default user @param annsRules  of one called ann, whose password is "pw" */
function makeScene(rules: ByteString, annsRules = "on >pw ~* +@all") {
  const users = changed(changed(new Users(null), "default", rules), "ann", annsRules);
  const memory = { isFull: false, refuses: (needsMemory: boolean) => needsMemory, refusal: () => null };
  const guest = new UserSession(users, double<MemoryLimit>(memory));
  const denial = (text: string, isOpen = false) => {
    const argv = text.split(" ");
    const command = findCommand(argv[0] as string) as Command;
    return guest.denial(command, argv, command.flags.includes("denyoom"), isOpen);
  };
  return { users, memory, guest, denial };
}

const changed = (users: Users, name: ByteString, rules: ByteString) => users.changed(name, rules.split(" "));

test("where nobody has to log in the guest is the default user", () => {
  const { guest, denial } = makeScene("on nopass");
  assert.equal(guest.name, "default");
  assert.equal(guest.readsAll, true);
  assert.equal(denial("SET k v"), null);
});

test("nobody may do what is open, and only that, until he logs in", () => {
  const { guest, denial } = makeScene("off");
  assert.equal(guest.user, null);
  assert.equal(denial("GET k"), "no-login");
  assert.equal(denial("GET k", true), null);
  assert.equal(guest.logIn("ann", "wrong"), false);
  assert.equal(denial("GET k"), "no-login");
  assert.equal(guest.logIn("ann", "pw"), true);
  assert.equal(denial("GET k"), null);
  guest.logOut();
  assert.equal(guest.user, null);
});

test("permission is asked before memory, also where no login is needed", () => {
  const { guest, memory, denial } = makeScene("off", "on >pw ~own +@all -lpush");
  memory.isFull = true;
  assert.equal(denial("SET own v"), "no-login");
  assert.equal(denial("SET own v", true), "no-memory");
  guest.logIn("ann", "pw");
  assert.deepEqual(denial("LPUSH own v"), { what: "command" });
  assert.deepEqual(denial("SET other v"), { what: "key", key: "other" });
  assert.equal(denial("SET own v"), "no-memory");
  assert.equal(denial("GET own"), null);
  memory.isFull = false;
  assert.equal(denial("SET own v"), null);
});

test("rules that have changed hold once he is renewed", () => {
  const { guest, users, denial } = makeScene("off");
  guest.logIn("ann", "pw");
  users.become(changed(users, "ann", "-set"));
  assert.equal(denial("SET k v"), null);
  assert.equal(guest.renew(), true);
  assert.deepEqual(denial("SET k v"), { what: "command" });
});

test("who is switched off or gone is nobody from then on", () => {
  for (const change of [
    (users: Users) => users.become(changed(users, "ann", "off")),
    (users: Users) => users.remove("ann"),
  ]) {
    const { guest, users, denial } = makeScene("on nopass");
    guest.logIn("ann", "pw");
    change(users);
    assert.equal(guest.renew(), false);
    assert.equal(guest.user, null);
    assert.equal(denial("GET k"), "no-login");
    assert.equal(guest.renew(), true, "told once");
  }
});

test("who has not logged in becomes the default user when that one is opened, and nobody when it is closed", () => {
  const { guest, users } = makeScene("off");
  users.become(changed(users, "default", "on nopass"));
  assert.equal(guest.renew(), true);
  assert.equal(guest.name, "default");
  users.become(changed(users, "default", "off"));
  assert.equal(guest.renew(), false);
  assert.equal(guest.user, null);
});
