/** The messages other than `command`, with their decoded contents. Hashes and ids in them are hexadecimal. */
import { cluster, hexText, NOW, raw, resp, vectorKeys } from "./scene.js";
import type { MessageVector } from "./vector.js";

const CLUSTER = cluster.toString("latin1");
const DAEMON = hexText(vectorKeys.daemon.id);
const ID = "cd".repeat(32);

export function messageVectors(): MessageVector[] {
  const at = String(NOW);
  const hello = { daemon: "", cluster: "", clock: NOW, state: "", role: "client", members: null, knows: [] };
  const served = {
    daemon: vectorKeys.daemon.id,
    cluster: cluster.toString("hex"),
    clock: NOW,
    role: "daemon",
  };
  const result = { id: ID, daemon: vectorKeys.daemon.id, clock: NOW, newest: { at: NOW - 1, seq: 17 } };
  const head = ["result", hexText(ID), DAEMON, at, `${NOW - 1} 17`];

  const message = (
    name: string,
    from: "client" | "daemon",
    elements: Parameters<typeof resp>[0],
    decoded: Readonly<Record<string, unknown>>,
  ): MessageVector => ({ name, from, payload: resp(elements).toString("hex"), decoded });

  return [
    message("hello-client", "client", ["hello", "2", "", "", at, "", "client", "", ""], {
      kind: "hello",
      versions: [2],
      ...hello,
    }),
    message("hello-client-cluster", "client", ["hello", "1 2", "", CLUSTER, "0", "", "client", "", ""], {
      kind: "hello",
      versions: [1, 2],
      ...hello,
      cluster: cluster.toString("hex"),
      clock: 0,
    }),
    message("hello-daemon", "daemon", ["hello", "1 2", DAEMON, CLUSTER, at, "live", "daemon", "", "signed"], {
      kind: "hello",
      versions: [1, 2],
      ...served,
      state: "live",
      members: null,
      knows: ["signed"],
    }),
    message(
      "hello-daemon-catching-up",
      "daemon",
      ["hello", "2", DAEMON, CLUSTER, at, "catching-up", "daemon", "0", "signed listen trace"],
      {
        kind: "hello",
        versions: [2],
        ...served,
        state: "catching-up",
        members: 0,
        knows: ["signed", "listen", "trace"],
      },
    ),
    message(
      "hello-daemon-without-keys",
      "daemon",
      ["hello", "1 2", DAEMON, "", at, "live", "daemon", "", "unsigned listen trace"],
      {
        kind: "hello",
        versions: [1, 2],
        ...served,
        cluster: "",
        state: "live",
        members: null,
        knows: ["unsigned", "listen", "trace"],
      },
    ),
    message(
      "hello-daemon-of-later-release",
      "daemon",
      ["hello", "2 3", DAEMON, CLUSTER, at, "live", "daemon", "9999", "signed later"],
      {
        kind: "hello",
        versions: [2, 3],
        ...served,
        state: "live",
        members: 9999,
        knows: ["signed", "later"],
      },
    ),
    message("result-one-unit", "daemon", [...head, raw("+OK\r\n"), ""], {
      kind: "result",
      ...result,
      units: [{ reply: { status: "OK" }, flags: [] }],
    }),
    message(
      "result-all-kinds",
      "daemon",
      [
        ...head,
        ...[raw("$-1\r\n"), "", raw("*-1\r\n"), "unmet", raw(":-9223372036854775808\r\n"), "late"],
        ...[raw("-ERR unknown command 'NOSUCH'\r\n"), "", raw("$2\r\n\r\n\r\n"), ""],
        ...[raw("*3\r\n:1\r\n$-1\r\n*1\r\n$0\r\n\r\n"), "late unmet"],
      ],
      {
        kind: "result",
        ...result,
        units: [
          { reply: { nil: true }, flags: [] },
          { reply: { nilArray: true }, flags: ["unmet"] },
          { reply: { integer: "-9223372036854775808" }, flags: ["late"] },
          { reply: { error: "ERR unknown command 'NOSUCH'" }, flags: [] },
          { reply: { bulk: "0d0a" }, flags: [] },
          {
            reply: { array: [{ integer: "1" }, { nil: true }, { array: [{ bulk: "" }] }] },
            flags: ["late", "unmet"],
          },
        ],
      },
    ),
    message("refused", "daemon", ["refused", hexText(ID), "skew", "Too early.", at, "not-applied"], {
      kind: "refused",
      id: ID,
      code: "skew",
      sentence: "Too early.",
      clock: NOW,
      effect: "not-applied",
    }),
    message("refused-unknown-effect", "daemon", ["refused", "", "malformed", "", "0", "unknown"], {
      kind: "refused",
      id: "",
      code: "malformed",
      sentence: "",
      clock: 0,
      effect: "unknown",
    }),
  ];
}
