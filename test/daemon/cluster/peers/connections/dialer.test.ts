/** Tests which connections end when the addresses of the members are replaced. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Dialer, Dialers } from "../../../../../daemon/cluster/peers/connections/dialer.js";
import type { MemberConnection } from "../../../../../daemon/cluster/peers/connections/member-connection.js";
import { PEERING_LIMITS } from "../../../../../daemon/cluster/peers/shared/peering-limits.js";
import type { PeerAddress } from "../../../../../daemon/options/peer-address.js";

const addressOf = (host: string, tls = false): PeerAddress => ({ host, port: 1, pin: null, tls });
const NAME = addressOf("name");
const ALIAS = addressOf("alias", true);
const CLUSTER = { limits: PEERING_LIMITS, random: () => 0, uptime: () => 0 };

/** Returns the dialers of a name and its alias, which holds the connection to the name after a check. */
function reassigned(): { dialers: Dialers; alias: Dialer; connection: MemberConnection } {
  const dialers = new Dialers();
  dialers.set([NAME, ALIAS], CLUSTER);
  const [name, alias] = dialers.all as [Dialer, Dialer];
  const connection = { address: NAME } as MemberConnection;
  name.connection = connection;
  dialers.reassign(connection, alias);
  assert.equal(dialers.of(connection), alias);
  return { dialers, alias, connection };
}

test("a connection ends with the address that it was opened to, whichever address holds it", () => {
  const { dialers, connection } = reassigned();
  assert.deepEqual(dialers.set([ALIAS], CLUSTER), [connection]);
  const other = reassigned();
  assert.deepEqual(other.dialers.set([], CLUSTER), [other.connection]);
});

test("a connection stays if only an address is removed that it was not opened to", () => {
  const { dialers, connection } = reassigned();
  assert.deepEqual(dialers.set([NAME], CLUSTER), []);
  assert.equal(dialers.of(connection), dialers.all[0]);
  const unchanged = reassigned();
  assert.deepEqual(unchanged.dialers.set([NAME, ALIAS, addressOf("new")], CLUSTER), []);
  assert.equal(unchanged.dialers.of(unchanged.connection), unchanged.alias);
});

test("an address that is being dialed does not get another connection", () => {
  const { dialers, connection } = reassigned();
  const check = { address: NAME } as MemberConnection;
  const [name] = dialers.all as [Dialer];
  name.connection = check;
  assert.deepEqual(dialers.set([NAME], CLUSTER), [connection]);
  assert.equal(dialers.of(check), name);
});
