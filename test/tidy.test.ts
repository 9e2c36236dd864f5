/** Checks the structure: imports between folders, purity, sizes, leftovers, unused files. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { importsAtStart, importsOf, startedBy, texts } from "./modules/imports.js";
import { endlessLoops } from "./modules/loops.js";
import { folderOf, importsOfFaces } from "./modules/modules.js";
import { isOfTests } from "./support/chosen-files.js";
import { ownFiles, repositoryRoot } from "./support/repository.js";

/** The folders that every face may import. */
const CORE = [
  "daemon/program",
  "daemon/listener",
  "daemon/cluster",
  "daemon/engine",
  "daemon/options",
  "daemon/net",
  "daemon/timeline",
  "daemon/store",
  "keys",
  "protocol",
];

/**
 * The folders that each folder may import. Sources: CONTRIBUTING.md, "Where things live"; for the faces, the table of
 * faces/README.md.
 */
const arrows: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  daemon: ["daemon/store"],
  keys: ["protocol"],
  client: ["keys", "protocol"],
  "daemon/store": ["protocol"],
  "daemon/timeline": ["daemon/store", "protocol"],
  "daemon/net": ["protocol"],
  "daemon/options": ["daemon", "daemon/net", "daemon/store", "keys", "protocol"],
  "daemon/engine": ["daemon/options", "daemon/net", "daemon/timeline", "daemon/store", "keys", "protocol"],
  "daemon/cluster": [
    "daemon",
    "daemon/engine",
    "daemon/options",
    "daemon/net",
    "daemon/timeline",
    "daemon/store",
    "keys",
    "protocol",
  ],
  "daemon/listener": [
    "daemon/engine",
    "daemon/options",
    "daemon/net",
    "daemon/timeline",
    "daemon/store",
    "protocol",
  ],
  "daemon/program": [
    "daemon",
    "daemon/store",
    "daemon/timeline",
    "daemon/net",
    "daemon/options",
    "daemon/engine",
    "daemon/cluster",
    "daemon/listener",
    "keys",
    "protocol",
  ],
  "tools/cli": [
    "daemon",
    "tools/history",
    "tools/backup",
    "client",
    "daemon/store",
    "daemon/timeline",
    "daemon/net",
    "daemon/options",
    "daemon/engine",
    "daemon/cluster",
    "daemon/listener",
    "keys",
    "protocol",
  ],
  "tools/cli/sql": ["faces/sql", "tools/cli", "client", "daemon/net", "keys", "protocol"],
  "tools/history": [
    "tools/cli",
    "tools/backup",
    "client",
    "daemon/store",
    "daemon/timeline",
    "daemon/net",
    "daemon/options",
    "daemon/engine",
    "daemon/cluster",
    "daemon/listener",
    "keys",
    "protocol",
  ],
  "tools/backup": [
    "tools/cli",
    "tools/history",
    "client",
    "daemon/store",
    "daemon/timeline",
    "daemon/net",
    "daemon/options",
    "daemon/engine",
    "daemon/cluster",
    "daemon/listener",
    "keys",
    "protocol",
  ],
  "tools/proxy": ["faces/sql", "tools/admin", "client", "daemon/net", "daemon/store", "protocol"],
  "tools/admin": [
    "daemon/program",
    "daemon/store",
    "daemon/timeline",
    "daemon/net",
    "daemon/options",
    "daemon/engine",
    "daemon/cluster",
    "daemon/listener",
    "keys",
    "protocol",
  ],
  "tools/admin/dashboard": ["protocol"],
  ...Object.fromEntries([...importsOfFaces()].map(([face, others]) => [face, [...CORE, ...others]])),
};

/** The files that list what can be removed, and the files that they list. */
const FACE_LISTS: Readonly<Record<string, RegExp>> = {
  "daemon/faces.ts": /^(faces|tools)\/[\w-]+\/face\.ts$/,
  "tools/cli/faces.ts": /^tools\/cli\/[\w-]+\/face\.ts$/,
};

/** Matches the files of the product, each of which is in a folder of `arrows`. */
const PRODUCT = /^(protocol|keys|client|daemon|faces(?!\/[\w-]+\/test)|tools)\//;

/** The files of the client that the daemon may import: its entry, and the class that forwards commands. */
const clientEntries = ["client/public-api.ts", "client/forwarding-client.ts"];

/** Matches the files without I/O, clock or randomness. */
const pure = /^(protocol|daemon\/store|faces\/[\w-]+\/(bytes|store))\//;
const impure =
  /\b(Date\.now|new Date\(\)|Math\.random|performance\.now|setTimeout|setInterval|setImmediate|process\.)\b/;

const FUNCTION_LINES_MAX = 70;

/** The folders of the program `dbsync`. */
const dbsync = ["tools/cli", "tools/cli/sql", "tools/history", "tools/backup"];

/** The modules of `dbsync` that read the daemon's folders. Other modules load them only when they are needed. */
const heavy = /^tools\/(cli\/(folder\/|sql\/parsed-statements\.)|history\/verification\/|backup\/file\/)/;

const tracked = ownFiles();
const sources = [...texts.keys()];

test("folders import only the folders that CONTRIBUTING.md permits", () => {
  for (const file of sources) {
    const allowed = arrows[folderOf(file)];
    if (allowed === undefined) {
      assert.doesNotMatch(
        file,
        PRODUCT,
        `${folderOf(file)}: add a face to the table of faces/README.md; another folder to FOLDERS in test/modules/modules.ts, and to arrows here`,
      );
      continue;
    }
    for (const imported of [...importsOf(file), ...startedBy(file)]) {
      const folder = folderOf(imported);
      if (folder === folderOf(file) || allowed.includes(folder)) continue;
      if (FACE_LISTS[file]?.test(imported)) continue;
      assert.fail(`${file} must not import ${imported}`);
    }
  }
});

test("each face imports the folders that its row in faces/README.md names", () => {
  for (const [face, allowed] of importsOfFaces()) {
    const files = sources.filter((file) => folderOf(file) === face);
    const imported = new Set(files.flatMap((file) => importsOf(file).map(folderOf)));
    const unused = allowed.filter((folder) => !imported.has(folder));
    if (files.length > 0) assert.deepEqual(unused, [], `${face} no longer imports these folders`);
  }
});

test("test/README.md has a row for each folder of tests and helpers, and names existing files", () => {
  const readme = readFileSync(join(repositoryRoot, "test/README.md"), "utf8");
  const rows = [...readme.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, names]) =>
    [...(names as string).matchAll(/`([\w/-]+)\/`/g)].map(([, name]) => name as string),
  );
  const folders = tracked.flatMap((file) => /^test\/(support\/[\w-]+|[\w-]+)\//.exec(file)?.[1] ?? []);
  assert.deepEqual(rows.sort(), [...new Set(folders)].sort());
  for (const [, name] of readme.matchAll(/`([\w/-]+\.ts)`/g))
    assert.ok(
      tracked.includes(`test/${name}`) || tracked.includes(`test/support/${name}`),
      `test/README.md names ${name}, which does not exist`,
    );
});

test("each test of the product is at the path of a source file, or in the folder of its subject", () => {
  for (const file of tracked) {
    if (!isOfTests(file) || !file.endsWith(".test.ts")) continue;
    const path = file.replace(/\.test\.ts$/, "").replace(/^test\/|(?<=^faces\/[\w-]+\/)test\//, "");
    if (!PRODUCT.test(path)) continue;
    const [source, subject] = path.split(".") as [string, string | undefined];
    const isFile = sources.includes(`${source}.ts`);
    if (subject !== undefined) assert.ok(isFile, `${file}: ${source}.ts does not exist`);
    const folder = dirname(path);
    const isFolder = sources.some(
      (other) => !isOfTests(other) && (other.startsWith(`${folder}/`) || other === `${folder}.ts`),
    );
    assert.ok(isFile || isFolder, `${file}: ${folder} contains no source file`);
  }
});

test("the lists of faces have a line for each face", () => {
  for (const [list, face] of Object.entries(FACE_LISTS)) {
    const faces = sources.filter((file) => face.test(file));
    assert.deepEqual([...importsOf(list)].sort(), faces.sort());
  }
});

test("only the files that CONTRIBUTING.md names import the list of the daemon's faces", () => {
  const importers = sources.filter(
    (file) => PRODUCT.test(file) && importsOf(file).includes("daemon/faces.ts"),
  );
  const text = readFileSync(join(repositoryRoot, "CONTRIBUTING.md"), "utf8");
  const [, sentence = ""] = /only file of the core that imports them\.(.*?) import it\./.exec(text) ?? [];
  const named = [...sentence.matchAll(/`([\w/-]+\.ts)`/g)].map(([, name]) => basename(name as string));
  assert.deepEqual(importers.map((file) => basename(file)).sort(), named.sort());
});

test("the daemon imports only the entries of the client", () => {
  for (const file of sources) {
    if (folderOf(file) !== "faces/sidecar") continue;
    for (const imported of importsOf(file))
      assert.ok(folderOf(imported) !== "client" || clientEntries.includes(imported), `${file}: ${imported}`);
  }
});

test("the program dbsync loads code that it shares with the daemon only when it needs it", () => {
  const isLight = (file: string) =>
    [...dbsync, "client", "keys", "protocol"].includes(folderOf(file)) ||
    /^(daemon\/net\/(terminal\/|process\/compile-cache\.)|faces\/sql\/bytes\/)/.test(file);
  for (const file of sources) {
    if (!dbsync.includes(folderOf(file)) || heavy.test(file)) continue;
    for (const imported of importsOf(file))
      assert.ok(isLight(imported), `${file} must not import ${imported}`);
    for (const loaded of importsAtStart(file)) assert.doesNotMatch(loaded, heavy, `${file}: import() it`);
  }
});

test("the program dbsync starts no other process", () => {
  for (const [file, text] of texts)
    if (dbsync.includes(folderOf(file)))
      assert.doesNotMatch(text, /"node:(child_process|worker_threads)"/, file);
});

test("no file is part of a cycle of imports, of values, types or import(), or of threads", () => {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    assert.ok(!path.includes(file), `import cycle: ${[...path.slice(path.indexOf(file)), file].join(" → ")}`);
    if (done.has(file)) return;
    for (const dependency of [...importsOf(file), ...startedBy(file)]) visit(dependency, [...path, file]);
    done.add(file);
  };
  for (const file of sources) visit(file, []);
});

test("protocol and store use no I/O, clock or randomness", () => {
  for (const [file, text] of texts) {
    if (!pure.test(file)) continue;
    assert.doesNotMatch(text, /from "node:/, `${file} imports a module of Node`);
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    assert.doesNotMatch(code, impure, `${file} is not pure`);
  }
});

test("only keys/ imports node-forge", () => {
  for (const [file, text] of texts) {
    if (folderOf(file) !== "keys" && folderOf(file) !== "test")
      assert.doesNotMatch(text, /["']node-forge["']/, file);
  }
});

test("every function is short", () => {
  for (const [file, text] of texts) {
    if (folderOf(file) === "test") continue;
    for (const { name, length } of functionsOf(text.split("\n"))) {
      assert.ok(length <= FUNCTION_LINES_MAX, `${file}: ${name} has ${length} lines`);
    }
  }
});

/** Finds functions and methods by their indentation, which is reliable because of the formatter. */
function functionsOf(lines: readonly string[]): { name: string; length: number }[] {
  return lines.flatMap((line, start) => {
    const head =
      /^( *)(?:export )?(?:async )?function\*? (\w+)\b/.exec(line) ??
      /^( +)(?:static |async |get |set |\*)*(#?\w+)(?:<[^>]*>)?\(.*\)(?:: .+)? \{$/.exec(line);
    if (head === null || /^\s*(if|for|while|switch|return|catch)\b/.test(line)) return [];
    const ends = [`${head[1]}}`, `${head[1]}},`];
    const end = lines.findIndex((each, index) => index >= start && ends.includes(each));
    return [{ name: head[2] as string, length: end - start + 1 }];
  });
}

/**
 * The files that spread an array into arguments, with the reason why the array is short. A call with about 120,000
 * arguments throws a RangeError.
 */
const spreading: Readonly<Record<string, string>> = {
  "client/browser/byte-buffer.ts": "slices of CODES_PER_CALL bytes",
  "client/browser/web-key.ts": "the bytes of one public key",
  "faces/redis-behind/redis-cluster.ts": "one reply of each node",
  "faces/redis-mirror/compare-keys.ts": "the commands that compare one key",
  "daemon/engine/pipeline/databases.ts": "the configured backends",
  "tools/history/verification/timeline-verification.ts": "at most one fault",
  "daemon/cluster/peers/catching-up-state.ts": "at most two clocks",
  "daemon/cluster/peers/finality/cut-voting.ts": "at most VOTES_MAX votes per member",
  "faces/json/store/commands/document-options.ts": "a constant",
  "daemon/store/commands/generic.ts": "the accesses of one argument",
  "faces/sql/store/commands/condition-plan.ts": "at most COLUMNS_MAX columns, and their sources",
  "faces/redis/store/commands/sort.ts": "the accesses of one key, and the operands of one option",
  "daemon/store/values/list.ts": "CHUNK_ELEMENTS or END_ELEMENTS_MAX elements",
  "daemon/store/values/sorted-set.ts": "one node",
  "faces/redis/store/values/streams/consumer-group.ts": "JOINED_MAX ids",
  "daemon/timeline/fold/fold.ts": "at most two dates",
  "daemon/timeline/members/rules.ts": "one watermark of each member",
  "protocol/members/member-list.ts": "the parents of one list",
  "keys/key-set.ts": "the warnings about one file",
  "tools/cli/json/test-command.ts": "a constant number of samples",
  "daemon/net/terminal/text-table.ts": "the columns of a table",
  "tools/cli/sql/sql.ts": "the columns of a table",
  "tools/cli/status/status-text.ts": "the steps of one explanation",
  "tools/cli/status/daemon-figures.ts": "one status of each daemon",
  "tools/cli/status/watched-report.ts": "the width of a terminal",
  "tools/admin/dashboard/timeline-strip.ts": "the columns of a strip",
};

test("the number of arguments in a call does not depend on the size of an input", () => {
  const spread = /\.(?:push|unshift|splice|min|max|fromCharCode|fromCodePoint)\([^()[\]{};'"`]*\.\.\./g;
  const found = new Set<string>();
  for (const [file, text] of texts) {
    if (arrows[folderOf(file)] === undefined) continue;
    for (const { index } of text.matchAll(spread)) {
      const line = text.slice(0, index).split("\n").length;
      assert.ok(
        spreading[file] !== undefined,
        `${file}:${line}: add the items one by one, or state here why they are few`,
      );
      found.add(file);
    }
  }
  assert.deepEqual([...found].sort(), Object.keys(spreading).sort(), "files that spread an array");
});

/**
 * Constant objects that are indexed with a value that is not in the code, with the reason why the value is never the
 * name of a member of Object.prototype, such as constructor.
 */
const indexed: Readonly<Record<string, string>> = {
  "tools/cli/shared/date-text.ts UNIT_MS": "a letter of a pattern",
  "daemon/program/program.ts SOURCES": "a source of settings",
  "daemon/engine/channels/key-watchers.ts REMOVAL_CAUSES": "one character",
  "daemon/engine/channels/channels.ts KINDS": "upper case",
  "faces/redis/scripts/libraries/cjson-library.ts ESCAPES": "one character",
  "faces/redis/scripts/libraries/cjson-library.ts SIGNS": "one character",
  "faces/redis/scripts/libraries/cjson-library.ts SHORT_ESCAPES": "one character",
  "faces/redis/scripts/libraries/struct-library.ts SIZES": "one character",
  "faces/sidecar/signing-backend.ts FLAGS": "an option of the client",
  "keys/atomic-file.ts REASONS": "a code of the system, in upper case",
  "faces/mongo/messages/failure-codes.ts CODES": "upper case",
  "faces/redis/commands/config-settings.ts UNITS": "two letters of a pattern",
  "faces/redis/commands/config-settings.ts settings": "a constant",
  "daemon/net/connections/foreign-client.ts STATUS": "a code of Node.js, in upper case",
  "daemon/net/connections/tls-gate.ts REASONS": "a code of Node.js, in upper case",
  "daemon/net/terminal/terminal-text.ts NAMED": "one character",
  "daemon/options/value-forms.ts RETAINED_UNITS": "a letter of a pattern",
  "protocol/json/json-reader.ts ESCAPES": "one character",
  "protocol/resp/inline-command.ts ESCAPES": "one character",
  "tools/proxy/routing/server-order.ts KINDS": "a word of a pattern",
  "daemon/store/commands/introspection.ts GROUPS": "a family of commands",
  "faces/redis/store/commands/sort.ts OPERANDS": "upper case",
  "faces/mongo/store/queries/pattern.ts CONTROLS": "one character",
  "faces/sql/store/grammar/expression-grammar.ts COMPARISONS": "a sign",
  "faces/sql/store/grammar/token-reader.ts ESCAPES": "one character",
  "faces/sql/store/grammar/token-reader.ts PAIRS": "one character",
};

test("a table that input indexes is a Map", () => {
  const found = new Set<string>();
  for (const [file, text] of texts) {
    if (arrows[folderOf(file)] === undefined) continue;
    for (const [, name] of text.matchAll(/^(?:export )?const (\w+): Readonly<Record<string, /gm)) {
      const isIndexed = new RegExp(`\\b${name}\\[(?!["'\\d])`).test(text);
      const isGuarded =
        text.includes(`Object.hasOwn(${name}, `) ||
        text.includes(
          `const ${name}: Readonly<Record<string, CommandKind>> = Object.assign(Object.create(null)`,
        );
      if (!isIndexed || isGuarded) continue;
      assert.ok(
        indexed[`${file} ${name}`] !== undefined,
        `${file}: make ${name} a Map, or state here what indexes it`,
      );
      found.add(`${file} ${name}`);
    }
  }
  assert.deepEqual([...found].sort(), Object.keys(indexed).sort(), "objects that are indexed");
});

test("the repository contains no leftovers of its development", () => {
  // The pattern is composed of parts, since it would otherwise match this file.
  const leftOver = new RegExp(
    ["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"].map((word) => `\\b${word}\\b`).join("|"),
  );
  const internalLocations = new RegExp(
    ["/wo" + "rk/", "/ro" + "ot/", "registry\\.npm" + "js", "deb\\.deb" + "ian\\.org"].join("|"),
  );
  for (const file of tracked) {
    if (file.startsWith("test/vectors/")) continue;
    const text = readFileSync(join(repositoryRoot, file), "utf8");
    if (file !== "CONTRIBUTING.md") assert.doesNotMatch(text, leftOver, file);
    assert.doesNotMatch(text, internalLocations, `${file} names an internal location`);
  }
});

test("every file is imported, or is a program, a test or named in package.json", () => {
  const used = new Set(sources.flatMap(importsOf));
  const manifest = readFileSync(join(repositoryRoot, "package.json"), "utf8");
  for (const file of sources) {
    const compiled = `dist/${file.replace(/\.ts$/, ".js")}`;
    const isRoot = /\.test\.ts$/.test(file) || folderOf(file) === "bench" || manifest.includes(compiled);
    const name = file.replace(/\.ts$/, ".js").split("/").at(-1) as string;
    const isRun = () => [...texts.values()].some((text) => text.includes(name));
    assert.ok(used.has(file) || isRoot || isRun(), `nothing imports ${file}`);
  }
});

/** The programs that make bundles and browser modules. They name the entry files. */
const builders = sources.filter((file) => /^test\/support\/make-[^/]+\.ts$/.test(file));

test("no module of the product is imported only by tests", () => {
  const isTest = (file: string) => /^(test|bench)\//.test(file);
  const running = sources.filter((file) => !isTest(file));
  const used = new Set(running.flatMap((file) => [...importsOf(file), ...startedBy(file)]));
  const build = builders.map((file) => texts.get(file)).join("\n");
  for (const file of running) {
    if (arrows[folderOf(file)] === undefined || used.has(file)) continue;
    const compiled = file.replace(/\.ts$/, ".js");
    const isBuilt = [file, compiled].some((name) =>
      [name, name.split("/").at(-1)].some((called) => build.includes(`"${called}"`)),
    );
    assert.ok(isBuilt, `only tests import ${file}: use it in the product, or delete it`);
  }
});

test("each doc comment precedes a declaration", () => {
  for (const [file, text] of texts) {
    const orphan = /\*\/\n[ \t]*\/\*\*(?!\/)|(?<=\n) *\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n\n/.exec(
      text.replace(/^#!.*\n/, "\n"),
    );
    const line = orphan === null ? 0 : text.slice(0, orphan.index).split("\n").length;
    assert.ok(orphan === null, `${file}:${line}: no declaration follows the comment`);
  }
});

/** The formatter breaks code after 110 columns, but leaves comments as they are. */
const COMMENT_COLUMNS_MAX = 120;

test("the lines of comments are short", () => {
  const isLong = (line: string) => line.length > COMMENT_COLUMNS_MAX && /^ *(?:\/?\*|\/\/)/.test(line);
  const places = [...texts].flatMap(([file, text]) =>
    text.split("\n").flatMap((line, at) => (isLong(line) ? [`${file}:${at + 1}`] : [])),
  );
  assert.deepEqual(places, [], `break the comments before column ${COMMENT_COLUMNS_MAX + 1}`);
});

/** Matches a pause with a number, which is a group. */
const NUMBERED_PAUSE = /\b(?:await (?:pause|sleep|delay|setTimeout)\(|setTimeout\(resolve, )([\d_]+)\)/g;

test("tests wait with until.ts, and the long pauses have a name that states their purpose", () => {
  for (const [file, text] of texts) {
    if (!isOfTests(file) || file === "test/support/until.ts") continue;
    assert.deepEqual(endlessLoops(text), [], `${file}: use until, which has a limit`);
    for (const [pause, ms = ""] of text.matchAll(NUMBERED_PAUSE))
      assert.ok(Number(ms.replaceAll("_", "")) < 1000, `${file}: ${pause}: use until, or name the duration`);
  }
});

test("loops that repeat something until it succeeds are found", () => {
  for (const endless of [
    "  while (!isStopped(pid));\n",
    "  while (!(await refused())) opened++;\n",
    "  while (!isOver || won === 0) {\n    await race();\n  }\n",
    "  while (remaining() > 0) {\n    await turn();\n  }\n",
    "  while (isRunning) await pause(10);\n",
    "  for (;;) {\n    if (await kill()) return;\n  }\n",
    "  do {\n    await kill();\n  } while ((await moved()) === last());\n",
    "  do answer = await ask();\n  while (/stopped/.test(answer));\n",
  ])
    assert.equal(endlessLoops(endless).length, 1, endless);
  for (const ending of [
    "  while (steps.next().done !== true);\n",
    "  while (!isOver) {\n    await race();\n  }\n",
    "  while (opened < most && !(await refused())) opened++;\n",
    "  for (;;) {\n    const text = await this.next();\n    if (text === last) return;\n  }\n",
    '  do {\n    cursor = await scan(cursor);\n  } while (cursor !== "0");\n',
    "  for (const each of all) await each();\n",
  ])
    assert.deepEqual(endlessLoops(ending), [], ending);
});

/** Plural nouns with which the doc comment of a type may begin, although they are also forms of verbs. */
const PLURALS =
  /^(?:Commands|Counts|Keys|Lists|Marks|Members|Names|Numbers|Pairs|Queries|Replies|Requests|Sets|Tests|Types) (?!the |an? |each |all |wh|how )/;

test("the doc comment of a class, an interface or a type begins with a noun", () => {
  // A verb describes what a function does. On a type it is mostly left over from a module that was merged into the
  // file.
  const verbs = new Set(
    [...texts.values()].flatMap((text) =>
      [
        ...text.matchAll(/\/\*\*\s+(?:\* )?([A-Z][a-z]+s) [^/]*?\*\/\n *(?:export )?(?:async )?function\b/g),
      ].map(([, verb]) => verb),
    ),
  );
  assert.ok(verbs.has("Returns") && verbs.has("Applies"));
  const described =
    /^\/\*\*\s+(?:\* )?((\w+) (?:(?!\*\/)[\s\S])*)\*\/\n(?:export )?(?:abstract )?(?:class|interface|type) (\w+)(?!.* = (?:<.*>)?\()/gm;
  for (const [file, text] of texts)
    for (const [, comment = "", first, name] of text.matchAll(described))
      assert.ok(
        !verbs.has(first) || PLURALS.test(comment),
        `${file}: ${name}: "${comment.split("\n", 1)[0]}"`,
      );
});

/** The members that the engine calls. */
const CALLED_BY_ENGINE: ReadonlySet<string> = new Set(["constructor", "toJSON"]);

test("the name of each member of a class occurs in other code", () => {
  const code = [...texts].map(([file, text]) => [file, withoutComments(text)] as const);
  const scripts = tracked.filter((file) => /\.(js|html|vue)$/.test(file));
  const uses = new Map<string, number>();
  for (const text of [
    ...code.map(([, text]) => text),
    ...scripts.map((file) => readFileSync(join(repositoryRoot, file), "utf8")),
  ])
    for (const [word] of text.matchAll(/\w+/g)) uses.set(word, (uses.get(word) ?? 0) + 1);
  for (const [file, text] of code)
    for (const [body] of text.matchAll(/^(?:export )?(?:abstract )?class [\s\S]*?^}/gm))
      for (const [, name = ""] of body.matchAll(/^ {2}(?:[a-z]+ |\*)*(\w+)(?:[(<:!?;]| = )/gm))
        assert.ok(
          CALLED_BY_ENGINE.has(name) || (uses.get(name) ?? 0) > 1,
          `${file}: nothing uses the member ${name}: remove it`,
        );
});

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|^ *\/\/.*/gm, "");
}

test("every folder of the design has a README", () => {
  for (const folder of Object.keys(arrows)) {
    assert.ok(tracked.includes(`${folder}/README.md`), `${folder}/README.md is missing`);
  }
});

test("each decision has a unique number, which its title contains", () => {
  const pages = tracked.filter((file) => file.startsWith("docs/decisions/0"));
  const numbers = pages.map((page) => page.slice("docs/decisions/".length, "docs/decisions/0000".length));
  assert.deepEqual(numbers, [...new Set(numbers)].sort());
  for (const [at, page] of pages.entries()) {
    const title = readFileSync(join(repositoryRoot, page), "utf8").split("\n", 1)[0] ?? "";
    assert.match(title, new RegExp(`^# ${Number(numbers[at])}\\. `), page);
  }
});
