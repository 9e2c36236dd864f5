/**
 * The parts of docs/operations.md and examples/production/alerts.yml that `npm run tables` writes: the alarms, and the
 * instructions for the possible problems of a daemon. Each rule by which `dbsync status` finds a problem has its alarm
 * and its instructions with it.
 */
import { posix } from "node:path";
import {
  DAEMON_ALARMS,
  DATABASE_DOWN,
  ORDER_RULES,
  STATE_RULES,
} from "../../protocol/figures/daemon-problems.js";
import type { Alarms, ProblemRule } from "../../protocol/figures/problem.js";
import { TIMELINE_ALARMS, TIMELINE_RULES } from "../../protocol/figures/timeline-problems.js";
import { GREETING_RULES } from "../../tools/cli/status/read-status.js";

/** The rules by which `dbsync status` finds problems. */
export const RULES = {
  ...TIMELINE_RULES,
  ...ORDER_RULES,
  databaseDown: DATABASE_DOWN,
  ...STATE_RULES,
  ...GREETING_RULES,
} as const;

export const ALARMS: Alarms = { ...DAEMON_ALARMS, ...TIMELINE_ALARMS };

/** A row of docs/operations.md: the sentences of `dbsync status`, with … for variable parts, and what to do. */
interface Instructions {
  readonly alarm: string | null;
  readonly says: readonly string[];
  readonly steps: string;
}

type Texts = Pick<ProblemRule<never>, "says" | "alarm" | "steps">;

const TEXTS: readonly Texts[] = Object.values(RULES);

/** The problems with instructions of their own. Those with the same instructions and the same alarm share a row. */
const PROBLEMS: readonly Instructions[] = problemsOf(TEXTS);

function problemsOf(rules: readonly Texts[]): Instructions[] {
  const found: { alarm: string | null; steps: string; says: string[] }[] = [];
  for (const { alarm, says, steps } of rules) {
    if (steps === undefined) continue;
    const same = found.find((row) => row.alarm === alarm && row.steps === steps);
    if (same === undefined) found.push({ alarm, steps, says: [says] });
    else if (!same.says.includes(says)) same.says.push(says);
  }
  return found;
}

/** Returns the row of an alarm, with the sentences of the rules whose instructions are those of the alarm. */
function instructionsOf(alarm: string): Instructions {
  const { says = [], steps = "" } = ALARMS[alarm] ?? {};
  const found = TEXTS.filter((rule) => rule.alarm === alarm && rule.steps === undefined);
  return { alarm, steps, says: [...new Set([...says, ...found.map((rule) => rule.says)])] };
}

/** Returns the plain text of a cell of docs/operations.md, with the path of the page for each link. */
const plainText = (steps: string): string =>
  steps
    .replace(
      /\[([^\]]*)\]\(([^)#]*)(#[^)]*)?\)/g,
      (_, text: string, file: string, heading = "") =>
        `${text} (${posix.join("docs", file || "operations.md")}${heading})`,
    )
    .replaceAll("`", "");

/** Returns the rules for Prometheus as lines of YAML, for the list `rules:`. */
export const alarmRules = (): string[] =>
  Object.entries(ALARMS).flatMap(([name, { expr, lasting, severity, summary, steps }]) => [
    `      - alert: ${name}`,
    `        expr: ${expr}`,
    ...(lasting === null ? [] : [`        for: ${lasting}`]),
    `        labels: { severity: ${severity} }`,
    "        annotations:",
    `          summary: "${summary}"`,
    `          action: ${JSON.stringify(plainText(steps))}`,
  ]);

/** Returns the sentences of the problems for which an alarm fires. It has none if only a rate shows the problem. */
export const sentencesOf = (name: string): readonly string[] => [
  ...instructionsOf(name).says,
  ...PROBLEMS.flatMap(({ alarm, says }) => (alarm === name ? says : [])),
];

/** Returns the rows for docs/operations.md: each alarm with its problems, and then the problems without an alarm. */
export const alarmRows = (): string[] => {
  const withAlarm = (name: string | null) => PROBLEMS.filter(({ alarm }) => alarm === name);
  const rows = Object.keys(ALARMS).flatMap((name) => [instructionsOf(name), ...withAlarm(name)]);
  return [
    "| alarm | `dbsync status` reports | what to do |",
    "|---|---|---|",
    ...[...rows, ...withAlarm(null)].map(
      ({ alarm, says, steps }) => `| ${alarm ?? ""} | ${says.join("; ")} | ${steps} |`,
    ),
  ];
};
