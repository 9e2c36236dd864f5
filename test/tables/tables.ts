/**
 * Generates parts of documents and of the client from the daemon's tables. Two marker lines enclose each part in its
 * file.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { REFUSALS, type Refusal } from "../../daemon/engine/answers/refusals.js";
import type { MetricTable } from "../../daemon/net/process/metric-rows.js";
import { type OptionRow, optionName } from "../../daemon/options/option-row.js";
import { formatLimit } from "../../daemon/options/value-forms.js";
import { BUILD } from "../../daemon/program/installed-faces.js";
import { commands, findCommand } from "../../daemon/store/command-table.js";
import { isKeyCommand } from "../../daemon/store/key-command.js";
import { connectionMistake } from "../../daemon/store/unit-permission.js";
import { mongoCommands } from "../../faces/mongo/mongo-listener.js";
import { KEYWORDS } from "../../faces/sql/store/grammar/keywords.js";
import { DAEMON_STATES } from "../../protocol/daemon-states.js";
import { type FigureTable, wireName } from "../../protocol/figures/figure.js";
import {
  DIFFERENCE_FIGURES,
  MEMBER_FIGURES,
  MEMBER_PROBLEM_FIGURES,
  MIRROR_FIGURES,
  TIMELINE_FIGURES,
  UPTO_FIGURES,
} from "../../protocol/figures/timeline-figures.js";
import { loadMetrics } from "../../tools/admin/metric-table.js";
import { BALANCER_METRICS } from "../../tools/proxy/admin/balancer-report.js";
import { CACHE_METRICS } from "../../tools/proxy/admin/cache-report.js";
import { commandsPage, PAGE } from "../commands-page/page.js";
import { ALL_LIMITS, OPTION_NAMES, OPTIONS, TABLE } from "../support/installed-options.js";
import { repositoryRoot } from "../support/repository.js";
import { alarmRows, alarmRules } from "./alarms.js";
import { SIGNATURES, type Signature } from "./command-signatures.js";

const METRICS = await loadMetrics(BUILD.faces);

const MARK = "made by npm run tables";
const LINE_CHARS = 120;
const NAMES_CHARS = 100;
/** The maximum length of a line of code, as in biome.json. */
const FORMATTED_CHARS = 110;

interface Part {
  readonly file: string;
  /** Returns the lines of the part. @param rest  the text of the file without its generated parts */
  readonly lines: (rest: string) => readonly string[];
}

const PARTS: readonly Part[] = [
  {
    file: "docs/limits.md",
    lines: () => [
      "| option | default | meaning |",
      "|---|---|---|",
      ...(OPTION_NAMES as readonly string[])
        .filter((name) => TABLE.isLimit(name))
        .map((name) => {
          const row = ALL_LIMITS[name];
          return `| \`--${row.flag}\` | ${formatLimit(row, row.fallback)} | ${row.summary} |`;
        }),
    ],
  },
  { file: "docs/metrics.md", lines: stateRows },
  { file: "docs/metrics.md", lines: () => metricRows(METRICS) },
  { file: "docs/protocol-v2.md", lines: refusalRows },
  ...[
    TIMELINE_FIGURES,
    UPTO_FIGURES,
    MEMBER_FIGURES,
    MEMBER_PROBLEM_FIGURES,
    DIFFERENCE_FIGURES,
    MIRROR_FIGURES,
  ].map((table) => ({
    file: "docs/protocol-v2.md",
    lines: () => figureRows(table),
  })),
  { file: "docs/operations.md", lines: alarmRows },
  { file: "examples/production/alerts.yml", lines: alarmRules },
  { file: "docs/proxy.md", lines: () => metricRows(BALANCER_METRICS) },
  { file: "docs/proxy.md", lines: () => metricRows(CACHE_METRICS) },
  {
    file: "examples/production/dbsyncd.toml",
    lines: (rest) => {
      const named = new Set([...rest.matchAll(/^#?([a-z0-9-]+) = /gm)].map(([, name]) => name));
      return Object.values(OPTIONS).flatMap((row: OptionRow) =>
        named.has(optionName(row)) ? [] : [...comment(row.help), `#${optionName(row)} = ${sampleOf(row)}`],
      );
    },
  },
  {
    file: "docs/sql.md",
    lines: () => [
      "| English | Malagasy | meaning |",
      "|---|---|---|",
      ...Object.values(KEYWORDS).map(({ english, malagasy, meaning }) => {
        const [one, other] = [english, malagasy].map((words) =>
          words.map((word) => `\`${word}\``).join(", "),
        );
        return `| ${one} | ${other} | ${meaning} |`;
      }),
    ],
  },
  {
    file: "docs/mongo.md",
    lines: () => [
      "| command | what it does |",
      "|---|---|",
      ...mongoCommands.map(
        ({ names, summary }) => `| ${names.map((name) => `\`${name}\``).join(", ")} | ${summary} |`,
      ),
    ],
  },
  { file: "client/shared/commands.ts", lines: () => [...commandMethods(), ...commandGroups()] },
  {
    file: "clients/python/dbsync/sentences.py",
    lines: () => ["NAMES = (", ...textLines(readCommands()).map((line) => `    "${line}"`), ")"],
  },
  {
    file: "clients/go/dbsync/commands.go",
    lines: () => [
      ...constantOfGo("reads", readCommands()),
      ...constantOfGo("messages", envelopeCommands().filter(isMessage)),
      ...constantOfGo(
        "ring",
        envelopeCommands().filter((name) => isKeyCommand([name])),
      ),
      // gofmt requires it.
      "",
    ],
  },
  { file: "tools/cli/sql/sql-completion.ts", lines: () => textOf("WORDS", statementWords()) },
];

function figureRows(table: FigureTable): string[] {
  const rows = Object.entries(table).map(([name, { kind, help, metric }]) => {
    const metricName = metric === undefined ? "" : `\`${metric.name}\``;
    return `| \`${wireName(name)}\` | ${kind.replaceAll("-", " ")} | ${help} | ${metricName} |`;
  });
  return ["| name | kind | meaning | metric |", "|---|---|---|---|", ...rows];
}

/** Returns the rows of the daemon's states. */
function stateRows(): string[] {
  const rows = Object.entries(DAEMON_STATES).map(([name, { meaning, refusal, isHealthy }]) => {
    const writes = refusal === null ? "" : `\`${refusal}\``;
    return `| \`${name}\` | ${meaning} | ${writes} | ${isHealthy ? 200 : 503} |`;
  });
  return ["| state | meaning | refusal of writes | status code |", "|---|---|---|---|", ...rows];
}

function metricRows<Sources>(metrics: MetricTable<Sources>): string[] {
  return [
    "| metric | type | labels | meaning |",
    "| --- | --- | --- | --- |",
    ...Object.entries(metrics).map(([name, { type, labels, help }]) => {
      const names = labels.map((label) => `\`${label}\``).join(", ");
      return `| \`${name}\` | ${type} | ${names} | ${help} |`;
    }),
  ];
}

/** Returns the commands of the store that an envelope may contain, without subcommands. */
function envelopeCommands(): string[] {
  const names = new Set(commands.map(({ name }) => name.split("|")[0] as string));
  return [...names].filter((name) => connectionMistake([name]) === null).sort();
}

/** Whether a command changes no data but notifies subscribers. If it was sent twice, it would notify them twice. */
const isMessage = (name: string): boolean => findCommand(name)?.channels === "first";

/** Returns the commands that change nothing, so that a client may send them again. */
function readCommands(): string[] {
  const changes = commands.filter(({ flags }) => flags.includes("write") || flags.includes("admin"));
  const writers = new Set(changes.map(({ name }) => name.split("|")[0]));
  return envelopeCommands().filter((name) => !writers.has(name) && !isMessage(name));
}

/** Returns the commands whose first argument is always a key. */
function keyedCommands(): string[] {
  const isKeyFirst = ({ keys, keyRange }: (typeof commands)[number]) =>
    typeof keys === "function" ? keyRange?.[0] === 1 : keys.some(({ first }) => first === 1);
  const names = new Set(commands.filter(isKeyFirst).map(({ name }) => name));
  return envelopeCommands().filter((name) => names.has(name));
}

/** Returns a constant for each combination of properties, with the names of the commands that have exactly these. */
function commandGroups(): string[] {
  const [reads, keyed] = [new Set(readCommands()), new Set(keyedCommands())];
  const methods = new Set(SIGNATURES.map(({ name }) => name));
  const groups = new Map<string, string[]>();
  for (const name of [...new Set([...envelopeCommands(), ...methods])].sort()) {
    const group = [
      ...(reads.has(name) ? ["READS"] : []),
      ...(isMessage(name) ? ["MESSAGES"] : []),
      ...(isKeyCommand([name]) ? ["RING"] : []),
      ...(keyed.has(name) ? ["KEYED"] : []),
      ...(methods.has(name) ? ["METHODS"] : []),
    ].join("_");
    groups.set(group || "OTHERS", [...(groups.get(group || "OTHERS") ?? []), name]);
  }
  return [...groups].sort().flatMap(([group, names]) => textOf(group, names));
}

/** Returns the single words of SQL statements, in both languages. */
function statementWords(): string[] {
  const phrases = Object.values(KEYWORDS).flatMap(({ english, malagasy }) => [...english, ...malagasy]);
  return [...new Set(phrases.flatMap((phrase) => phrase.toLowerCase().split(" ")))].sort();
}

/** Returns the types of the commands that are methods. */
function commandMethods(): string[] {
  const methods = SIGNATURES.flatMap((signature) => {
    const { summary = "" } = commands.find(({ name }) => name === signature.name) ?? {};
    return [`  /** ${summary} */`, methodOf(signature)];
  });
  return ["export interface CommandMethods {", ...methods, "}"];
}

/** Returns the declaration of a method, formatted like the output of the formatter. */
function methodOf({ name, parameters, result }: Signature): string {
  const typed = parameters.map((parameter) =>
    parameter.startsWith("...") ? `${parameter}: Argument[]` : `${parameter}: Argument`,
  );
  const line = `  ${name.toLowerCase()}(${typed.join(", ")}): Promise<${result}>;`;
  if (line.length <= FORMATTED_CHARS) return line;
  const lines = typed.map((one) => `    ${one}${one.startsWith("...") ? "" : ","}`);
  return [`  ${name.toLowerCase()}(`, ...lines, `  ): Promise<${result}>;`].join("\n");
}

/** Returns a constant whose value is one text with spaces between the words. */
function textOf(constant: string, words: readonly string[]): string[] {
  const lines = textLines(words);
  const short = `const ${constant} = "${lines[0]}";`;
  if (lines.length === 1 && short.length <= FORMATTED_CHARS) return [short];
  const texts = lines.map((line, i) => (i < lines.length - 1 ? `  "${line}" +` : `  "${line}";`));
  return [`const ${constant} =`, ...texts];
}

/** Returns a constant of Go with these words, formatted like the output of gofmt. */
function constantOfGo(constant: string, words: readonly string[]): string[] {
  const [first = "", ...others] = textLines(words).map((line) => `"${line}"`);
  return [`const ${constant} = ${first}`, ...others.map((line) => `\t${line}`)].map((line, index) =>
    index < others.length ? `${line} +` : line,
  );
}

/** Distributes words over lines. Every line except the last ends with a space. */
function textLines(words: readonly string[]): string[] {
  const lines = [""];
  for (const word of words) {
    if (`${lines.at(-1)}${word} `.length > NAMES_CHARS) lines.push("");
    lines[lines.length - 1] += `${word} `;
  }
  return lines.map((line, i) => (i < lines.length - 1 ? line : line.trimEnd()));
}

function refusalRows(): string[] {
  const rows = Object.entries<Refusal>(REFUSALS).flatMap(([code, { sentence, wire }]) =>
    wire === undefined ? [] : [`| \`${code}\` | ${sentence} | ${wire.effect} | ${wire.cure} |`],
  );
  return ["| code | sentence | effect | cure |", "| --- | --- | --- | --- |", ...rows];
}

/** Returns a value in TOML: the default, or the example if there is no default. */
function sampleOf({ form, fallback, example }: OptionRow): string {
  const isNothing = fallback === null || (Array.isArray(fallback) && fallback.length === 0);
  return JSON.stringify(isNothing ? example : form.show(fallback));
}

function comment(sentence: string): string[] {
  const lines = [""];
  for (const word of sentence.split(" ")) {
    const line = `${lines.at(-1)} ${word}`;
    if (line.length < LINE_CHARS) lines[lines.length - 1] = line;
    else lines.push(` ${word}`);
  }
  return lines.map((line) => `#${line}`);
}

/** Returns the current and the expected text of each file. @throws Error if a marker line is missing */
export function written(): { readonly file: string; readonly current: string; readonly expected: string }[] {
  const page = {
    file: PAGE,
    current: readFileSync(join(repositoryRoot, PAGE), "utf8"),
    expected: commandsPage(),
  };
  const inParts = [...new Set(PARTS.map(({ file }) => file))].map((file) => {
    const parts = PARTS.filter((part) => part.file === file);
    const current = readFileSync(join(repositoryRoot, file), "utf8");
    const pieces = current.split(
      new RegExp(`(?<=^(?!.*end of what is).*${MARK}.*\n)([^]*?)(?=^.*end of what is ${MARK})`, "m"),
    );
    if (pieces.length !== 2 * parts.length + 1)
      throw new Error(
        `${file} needs ${parts.length} times two lines: "${MARK}" and "end of what is ${MARK}"`,
      );
    const rest = pieces.filter((_, i) => i % 2 === 0).join("");
    const expected = pieces.map((piece, i) =>
      i % 2 === 0 ? piece : `${parts[(i - 1) / 2]?.lines(rest).join("\n")}\n`,
    );
    return { file, current, expected: expected.join("") };
  });
  return [page, ...inParts];
}
