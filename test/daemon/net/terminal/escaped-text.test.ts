/** Tests that no text from another program reaches a terminal with characters that the terminal obeys. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { describeOutcome } from "../../../../client/shared/sentences.js";
import { formatTable, tableLines } from "../../../../daemon/net/terminal/text-table.js";
import { bytesOfText } from "../../../../protocol/byte-string.js";
import { hasControlCharacter } from "../../../../protocol/control-characters.js";
import { array, bulk, error, status } from "../../../../protocol/reply.js";
import { quotedArgument } from "../../../../protocol/resp/inline-command.js";
import { jsonReport, textReport } from "../../../../tools/cli/json/test-command.js";
import { formatKey } from "../../../../tools/cli/keys/keys.js";
import { typedText } from "../../../../tools/cli/repl/repl.js";
import {
  printJson,
  printLine,
  printNotice,
  printSentence,
  printValue,
} from "../../../../tools/cli/shared/output.js";
import { printAnswer, printProblem } from "../../../../tools/cli/sql/print-sql-answer.js";
import { formatDeadLetters } from "../../../../tools/history/format-dead-letters.js";
import { formatHistory, readHistory } from "../../../../tools/history/log.js";
import { texts } from "../../../modules/imports.js";
import { isOfTests } from "../../../support/chosen-files.js";

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

/** The characters that a terminal obeys, except for line breaks and tabs, which lay out the program's own texts. */
const OBEYED: readonly string[] = [
  ...range(0, 8),
  ...range(11, 31),
  ...range(0x7f, 0x9f),
  ...[0x061c, 0x200b, 0x200e, 0x200f, 0x2028, 0x2029, 0xfeff, 0xe0001],
  ...range(0x202a, 0x202e),
  ...range(0x2066, 0x2069),
].map((code) => String.fromCodePoint(code));

const EVIL = `a${OBEYED.join("b")}c`;
const BYTES = bytesOfText(EVIL);

/** The program's own colours. */
const COLOURS = /\x1b\[\d+m/g;

/** Returns what an action writes to the standard output and error, as if they were a terminal, without colours. */
function onTerminal(act: () => void): string {
  let text = "";
  const streams = [process.stdout, process.stderr] as const;
  const before = streams.map(({ write, isTTY }) => ({ write, isTTY }));
  for (const stream of streams) {
    stream.isTTY = true;
    stream.write = (piece: string | Uint8Array) => {
      text += typeof piece === "string" ? piece : Buffer.from(piece).toString();
      return true;
    };
  }
  try {
    act();
  } finally {
    streams.forEach((stream, at) => void Object.assign(stream, before[at]));
  }
  return text.replace(COLOURS, "");
}

const UNIT = {
  ...{ at: 0, seq: 0, id: "00", index: 0, signer: "00", label: EVIL, as: EVIL, db: 0 },
  ...{ commands: [["SET", EVIL]], outcome: "error", reply: EVIL },
};

const KEY = {
  ...{ id: "00", label: EVIL, role: "application", algorithm: EVIL, state: EVIL, revoked: null },
  ...{ rate: 0, rules: [EVIL], addedBy: EVIL, notBefore: null, notAfter: null, bits: 0 },
};

const CHECKS = { latency: 1, samples: new Map([["get", [1]]]), checks: [{ pass: true, message: EVIL }] };
const REPLICAS = [{ host: EVIL, port: 1, error: EVIL }];
const output = process.stdout;

/** The outputs for terminals by name. */
const OUTPUTS: Readonly<Record<string, () => void>> = {
  line: () => printLine(EVIL),
  notice: () => printNotice(EVIL),
  sentence: () => printSentence(EVIL, "plain"),
  value: () => printValue(BYTES),
  json: () => printJson({ [EVIL]: [EVIL] }),
  table: () => void output.write(formatTable([[EVIL]])),
  lines: () => void output.write(tableLines([[EVIL]]).join("\n")),
  outcome: () =>
    void output.write(
      describeOutcome({
        ...{ address: "a:1", status: "failed", stage: "refused", detail: EVIL, effect: "unknown" },
      } as never),
    ),
  answer: () => void output.write(describeOutcome({ address: "a:1", status: "ok", value: EVIL } as never)),
  reply: () =>
    void output.write(typedText(array([bulk(BYTES), bulk(`\xff${BYTES}`), status(BYTES), error(BYTES)]))),
  "typed word": () => void output.write(quotedArgument(BYTES)),
  history: () =>
    void output.write(formatHistory(readHistory(["units", [Object.entries(UNIT).flat()]] as never))),
  "dead letters": () =>
    void output.write(
      formatDeadLetters({
        deadLetters: [
          {
            ...{ id: "00", at: 0, state: EVIL, reason: EVIL },
            envelope: { commands: [[Buffer.from(EVIL)]], count: 1 },
          },
        ],
        unread: [{ file: EVIL, bytes: 1, reason: "its last 1 bytes cannot be read" }],
      } as never),
    ),
  key: () => void output.write(formatKey(KEY as never, EVIL)),
  "json server's text": () => void output.write(textReport(CHECKS as never, REPLICAS)),
  "json server's json": () => void output.write(jsonReport(CHECKS as never, REPLICAS)),
  "sql table": () =>
    void printAnswer(
      { kind: "relation", columns: [EVIL], rows: [[EVIL]] },
      { isJson: false, printsMessages: true, output },
    ),
  "sql message": () =>
    void printAnswer({ kind: "message", text: EVIL } as never, {
      isJson: false,
      printsMessages: true,
      output,
    }),
  "sql json": () =>
    void printAnswer(
      { kind: "relation", columns: [EVIL], rows: [[EVIL]] },
      { isJson: true, printsMessages: true, output },
    ),
  "sql problem": () => printProblem(new Error(EVIL)),
};

test("every output for a terminal escapes the characters that a terminal obeys", () => {
  for (const [name, act] of Object.entries(OUTPUTS)) {
    const text = onTerminal(act);
    assert.notEqual(text, "", name);
    for (const character of OBEYED)
      assert.ok(!text.includes(character), `${name}: ${JSON.stringify(character)}`);
  }
});

test("JSON on a terminal has the same meaning", () => {
  const value = { [EVIL]: [`${EVIL}\n\t"\\`, 1] };
  assert.deepEqual(JSON.parse(onTerminal(() => printJson(value))), value);
});

test("text with accents, joined emoji and another script is not changed", () => {
  const text = "grüße 你好 👩‍👩‍👧 می‌خواهم שלום";
  assert.ok(!hasControlCharacter(text));
  assert.equal(
    onTerminal(() => printLine(text)),
    `${text}\n`,
  );
});

for (const format of ["json", "pretty"]) {
  test(`the log as ${format} escapes the characters that a terminal obeys`, async () => {
    const log = new URL("../../../../daemon/net/process/log.js", import.meta.url).href;
    const program = `const { openLog } = await import(process.argv[1]);
      const { logger, close } = await openLog("info", "${format}");
      const text = JSON.parse(process.argv[2]);
      logger.info({ text, err: new Error(text) }, text);
      await close();`;
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, [
      ...["--input-type=module", "-e", program, log, JSON.stringify(`${EVIL}\nend`)],
    ]);
    assert.match(stdout, /u009b/);
    for (const character of OBEYED) assert.ok(!stdout.includes(character), JSON.stringify(character));
    if (format === "json") assert.equal(JSON.parse(stdout).text, `${EVIL}\nend`);
  });
}

/** The files that write to the standard output or error themselves, and what they write. */
const WRITERS: Readonly<Record<string, string>> = {
  "tools/cli/shared/output.ts": "the outputs above",
  "tools/cli/shared/ping-result.ts": "a constant hint",
  "tools/cli/redis/export-keys.ts": "the bytes of a file, which the user asked for",
  "tools/cli/shared/progress.ts": "numbers, and texts with `escapedText`",
  "tools/cli/json/test-command.ts": "the report above",
  "tools/cli/top/top.ts": "tables, and texts with `escapedText`",
  "tools/cli/listen.ts": "columns with `escapedText`",
  "tools/history/dead-letters.ts": "the table above",
  "tools/history/log.ts": "the history above, and counts of a local folder",
  "tools/cli/program.ts": "the help",
  "tools/cli/profile.ts": "a table",
  "tools/cli/members/member-tables.ts": "a table",
  "tools/cli/send.ts": "hints of names that the program knows",
  "tools/cli/status/status.ts": "texts with `escapedText`",
  "tools/cli/status/watched-report.ts": "a line break",
  "tools/cli/keys/keys.ts": "the table above",
  "tools/cli/command-line.ts": "texts with `escapedText`, and the user's own words",
  "tools/proxy/program.ts": "the help",
  "tools/proxy/status-command.ts": "a table, or JSON with escapes",
  "tools/proxy/main.ts": "texts with `escapedText`",
  "daemon/program/program.ts": "texts with `escapedText`, and the configuration",
  "keys/keygen-command.ts": "the user's own words",
  "client/shared/frame-tracer.ts": "bytes, of which only printable ASCII is not escaped",
};

const FOLDERS = [
  "client/",
  "daemon/engine/",
  "daemon/listener/",
  "daemon/net/",
  "daemon/options/",
  "daemon/program/",
  "keys/",
  "faces/",
  "tools/",
];
/** The files for browsers, which have no terminal. */
const PAGES = /^(client\/browser|tools\/admin\/dashboard)\//;

test("only the files of the list write to a terminal", () => {
  const writers = [...texts]
    .filter(([, text]) => /\bstd(?:out|err)\.write\(|\bconsole\.\w+\(/.test(text))
    .map(([file]) => file)
    .filter(
      (file) => FOLDERS.some((folder) => file.startsWith(folder)) && !PAGES.test(file) && !isOfTests(file),
    );
  assert.deepEqual(writers.sort(), Object.keys(WRITERS).sort());
});
