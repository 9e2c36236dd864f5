/** Tests dbsync.ini: its syntax, and errors that name file and line. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIni } from "../../../client/settings/default-options.js";
import { DbsyncError } from "../../../client/shared/errors.js";

const GOOD: [name: string, text: string, settings: Record<string, string>][] = [
  [
    "plain settings",
    "dbsync.servers = a:1,b:2\ndbsync.signkey=/k.pem\n",
    { servers: "a:1,b:2", signkey: "/k.pem" },
  ],
  ["names without the prefix", "servers=a\nsignkey=k", { servers: "a", signkey: "k" }],
  ["double quotes", 'servers = "a, b ; c"', { servers: "a, b ; c" }],
  ["single quotes followed by a comment", "signkey = 'k k' ; mine", { signkey: "k k" }],
  ["comments, sections and empty lines", "; c\n\n[dbsync]\n  [x] ; y\nservers=a ; b", { servers: "a" }],
  [
    "Windows line endings and a byte order mark",
    "\uFEFFservers=a\r\nsignkey=\r\n",
    { servers: "a", signkey: "" },
  ],
  ["a setting twice, of which the second applies", "servers=a\nservers=b", { servers: "b" }],
  ["PHP's extension line", "extension=dbsync.so\nservers=a", { servers: "a" }],
  [
    "the client's behaviour",
    "dbsync.keepalive = Off\ndbsync.format=text\nversions=1,2",
    { keepalive: "Off", format: "text", versions: "1,2" },
  ],
  ["nothing", "", {}],
];

for (const [name, text, settings] of GOOD) {
  test(`an ini file may contain ${name}`, () => assert.deepEqual(parseIni(text, "x.ini"), settings));
}

const BAD: [name: string, text: string, message: RegExp][] = [
  [
    "an unknown dbsync setting",
    "\ndbsync.server = a",
    /x\.ini, line 2: there is no setting "dbsync\.server": did you mean dbsync\.servers\? There are /,
  ],
  ["an unknown bare setting", "timeout = 1", /line 1: there is no setting "timeout"/],
  ["no equals sign", "servers a", /line 1: expected "name = value", found "servers a"/],
  ["no name", "= a", /line 1: expected "name = value"/],
  ["a hash comment", "# a", /line 1: a comment begins with ;/],
  ["an open quote", 'servers = "a', /line 1: the quote " is not closed/],
  ["text after a quote", "servers = 'a' b", /line 1: expected nothing after the closing quote, found b/],
];

for (const [name, text, message] of BAD) {
  test(`an ini file with ${name} is refused`, () => {
    assert.throws(
      () => parseIni(text, "x.ini"),
      (error) => error instanceof DbsyncError && error.code === "bad-config" && message.test(error.message),
    );
  });
}
