/** Shows problems at the top of the page and in its title and icon, in the same words as `dbsync doctor`. */
import { spanText } from "../../../protocol/figures/amount-texts.js";
import { awayMember, downMember } from "../../../protocol/figures/away-members.js";
import type { Problem, Severity } from "../../../protocol/figures/problem.js";
import type { DashboardFrame } from "../../../protocol/json/dashboard-frame.js";
import { byId, newElement, setText } from "./elements.js";
import { termsIn } from "./terms.js";
import { timeText } from "./times.js";

interface ShownProblem {
  /** The beginning of the sentence, which is shown in bold: the daemons that report it, or the member that is down. */
  readonly subject: string;
  readonly text: string;
  readonly fix: string;
  readonly severity: Severity;
}

type Health = "good" | "busy" | "warn" | "bad";

const OWN = "This daemon:";
const NAMES_MAX = 3;

/** Lists the first three names, and the number of the remaining ones. */
export function namesText(names: readonly string[]): string {
  const more = names.length - NAMES_MAX;
  return `${names.slice(0, NAMES_MAX).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Shows the problems. @param silentMs  milliseconds since the last frame, or null if frames are arriving */
export function showProblems(frame: DashboardFrame | null, silentMs: number | null): void {
  const problems = [...(silentMs === null ? [] : [silence(frame, silentMs)]), ...problemsOf(frame)];
  fill(byId("problems"), problems);
  const terms = termsIn(problems.map(({ text, fix }) => `${text} ${fix}`).join(" "));
  setText(byId("terms"), terms);
  byId("terms").hidden = terms === "";
  const isWaiting = frame === null && silentMs === null;
  byId("no-problems").hidden = problems.some(({ severity }) => severity !== "note") || isWaiting;
  byId("problems").hidden = problems.length === 0;
  showHealth(healthOf(frame, problems), { word: wordOf(frame, silentMs, problems), isWaiting });
}

/**
 * Returns the health that the title and the icon show. A daemon that is not ready but reports work in progress is busy,
 * not bad.
 */
function healthOf(frame: DashboardFrame | null, problems: readonly ShownProblem[]): Health {
  const has = (wanted: Severity) => problems.some(({ severity }) => severity === wanted);
  if (has("problem") || (frame?.isHealthy === false && !has("progress"))) return "bad";
  if (has("remark")) return "warn";
  return has("progress") ? "busy" : "good";
}

function wordOf(
  frame: DashboardFrame | null,
  silentMs: number | null,
  problems: readonly ShownProblem[],
): string {
  if (silentMs !== null) return "no answer";
  const count = (...wanted: Severity[]) =>
    problems.filter(({ severity }) => wanted.includes(severity)).length;
  const problemCount = count("problem", "remark");
  if (problemCount > 0) return problemCount === 1 ? "1 problem" : `${problemCount} problems`;
  const inProgress = count("progress");
  if (inProgress > 0) return `${inProgress} in progress`;
  return frame?.isHealthy === false ? frame.state : "healthy";
}

const silence = (frame: DashboardFrame | null, silentMs: number): ShownProblem => ({
  subject: OWN,
  text:
    frame === null
      ? "it has sent nothing yet"
      : `it has sent nothing for ${spanText(silentMs)}; the figures below date from ${timeText(frame.now)}`,
  fix: "check that it is running, and read its log; the page reconnects automatically",
  severity: "problem",
});

function problemsOf(frame: DashboardFrame | null): ShownProblem[] {
  if (frame === null) return [];
  const own = frame.problems.map(
    (problem): ShownProblem => ({ ...subjectOf(problem), fix: problem.fix, severity: problem.severity }),
  );

  // Combine equal problems from several members.
  const known = new Set(frame.problems.map(awayMember));
  const claims = new Map<string, { readonly text: string; readonly names: readonly string[] }>();
  for (const { address, problems } of frame.timeline?.members ?? [])
    for (const problem of problems) {
      const { text } = problem;
      const away = awayMember(problem);
      if (away !== null && known.has(away)) continue;
      const claim = claims.get(away ?? text) ?? { text, names: [] };
      claims.set(away ?? text, { ...claim, names: [...claim.names, address] });
    }

  const reported = [...claims.values()].map(
    ({ text, names }): ShownProblem => ({
      subject: reportersText(names),
      text,
      fix: "see the page of that member, or run dbsync doctor",
      severity: "remark",
    }),
  );

  const ownOf = (wanted: Severity) => own.filter(({ severity }) => severity === wanted);
  return [...ownOf("problem"), ...ownOf("remark"), ...reported, ...ownOf("progress"), ...ownOf("note")];
}

/** Returns the subject of a problem of this daemon, and its sentence without it. */
function subjectOf(problem: Problem): Pick<ShownProblem, "subject" | "text"> {
  const { text } = problem;
  const address = downMember(problem);
  return address === null
    ? { subject: OWN, text }
    : { subject: address, text: text.slice(address.length + 1) };
}

const reportersText = (names: readonly string[]): string =>
  `${namesText(names)} ${names.length === 1 ? "reports" : "report"}:`;

const CLASSES = { problem: "bad", remark: "warn", note: "quiet", progress: "quiet" } as const;
const CURES = {
  problem: "What to do",
  remark: "What to do",
  note: "What to do, if you need it",
  progress: "This is temporary. If it does not end",
} as const;

/** Updates the list. It changes only texts that differ, so that screen readers do not announce the rest again. */
function fill(list: Element, problems: readonly ShownProblem[]): void {
  while (list.children.length > problems.length) list.lastElementChild?.remove();
  for (const [index, problem] of problems.entries()) {
    const item = list.children[index] ?? list.appendChild(newElement("li"));
    if (item.children.length === 0)
      item.append(newElement("b"), " ", newElement("span"), newElement("small"));
    const [subject, text, fix] = item.children;
    if (subject === undefined || text === undefined || fix === undefined) continue;
    setText(subject, problem.subject);
    setText(text, `${problem.text}.`);
    showFix(fix, `${CURES[problem.severity]}: ${problem.fix}`);
    item.className = CLASSES[problem.severity];
  }
}

/** The command at the end of a remedy, which the page shows on its own line so that it can be copied. */
const COMMAND = /: (dbsync (?:[^;:]|:(?=\d))+)$/;

function showFix(element: Element, fix: string): void {
  const [, command = ""] = COMMAND.exec(fix) ?? [];
  if (command === "") {
    setText(element, `${fix}.`);
    return;
  }
  if (element.textContent === fix) return;
  element.replaceChildren(fix.slice(0, -command.length), newElement("code", command));
}

const MARKS = { good: "✓", busy: "…", warn: "▲", bad: "✕" } as const;
const ICONS = {
  good: "/icon.svg",
  busy: "/icon.svg",
  warn: "/icon-warn.svg",
  bad: "/icon-bad.svg",
} as const;

function showHealth(health: Health, { word, isWaiting }: { word: string; isWaiting: boolean }): void {
  const title = isWaiting
    ? `${location.host} · dbsync`
    : `${MARKS[health]} ${word} · ${location.host} · dbsync`;
  if (document.title !== title) document.title = title;
  const icon = byId<HTMLLinkElement>("icon");
  if (!icon.href.endsWith(ICONS[health])) icon.href = ICONS[health];
}
