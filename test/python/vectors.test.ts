/** Checks the package's envelopes and messages against test/vectors/v2. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { skipWithout } from "../support/requirements.js";
import { keyFile, PYTHON, runPython, vectors } from "./running.js";

describe("the Python package and the vectors", { skip: skipWithout(PYTHON) }, () => {
  test("the package writes and signs every good envelope byte for byte", async () => {
    // The package writes the conditions of one unit only.
    const written = vectors.good.filter(({ header }) => header.ifs === undefined);
    const made = await runPython(
      `
import hashlib
from dbsync.envelope import signed_bytes, write_body
from dbsync.resp import command_bytes
from dbsync.signing import Signer
h = bytes.fromhex
signers = {name: Signer(file) for name, file in given["files"].items()}
made = []
for vector in given["good"]:
    header = []
    for name, value in vector["header"].items():
        if name == "if":
            value = [part for each in value for part in (each["db"], h(each["key"]), h(each["writer"]))]
        elif name in ("multi", "decide"):
            value = "1"
        elif isinstance(value, str):
            value = h(value)
        header.append((name, value))
    body = write_body(header, [command_bytes([h(part) for part in command]) for command in vector["commands"]])
    signed, signer = signed_bytes(body), signers[vector["key"]]
    assert signer.id.hex() == vector["header"]["key"]
    made.append([body.hex(), hashlib.sha256(signed).hexdigest(), signer.sign(signed).hex()])
print(json.dumps(made))
`,
      {
        good: written,
        files: Object.fromEntries(vectors.keys.map(({ name }) => [name, keyFile(name, "private")])),
      },
    );
    assert.deepEqual(
      made,
      written.map(({ body, id, signature }) => [body, id, signature]),
    );
  });

  test("the package parses every message of a daemon from pieces, but no message with an additional byte", async () => {
    const payloads = vectors.messages.map(({ payload }) => payload);
    const read = await runPython(
      `
from dbsync.errors import ProtocolError
from dbsync.messages import FrameReader
from dbsync.resp import read_array
def elements(payload):
    try:
        return len(read_array(bytes.fromhex(payload)))
    except ProtocolError:
        return None
frames, pieces = FrameReader(), []
for byte in b"".join(b"ds2:%d:%s" % (len(each) // 2, bytes.fromhex(each)) for each in given):
    pieces += [piece.hex() for piece in frames.push(bytes([byte]))]
assert pieces == given
for bad in (b"ds:1:x", b"dt2:", b"ds2:-1:", b"ds2:99999999999:", b"ds2:12345678901"):
    try:
        list(FrameReader().push(bad))
    except ProtocolError:
        continue
    raise AssertionError(bad)
print(json.dumps([[elements(each), elements(each + "00")] for each in given]))
`,
      payloads,
    );

    const counts = payloads.map((payload) =>
      Number(/^\*(\d+)/.exec(Buffer.from(payload, "hex").toString())?.[1]),
    );
    assert.deepEqual(
      read,
      counts.map((count) => [count, null]),
    );
  });
});
