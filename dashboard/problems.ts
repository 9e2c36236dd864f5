/** Problems at the top of the page, in its title and its icon: in the sentences of dbsync doctor. */
import type { Severity } from "../protocol/figures/problem.js";
import type { DashboardFrame } from "../protocol/json/dashboard-frame.js";
import { at, made, say } from "./elements.js";
import { spanText } from "./texts.js";

interface Shown {
  /** The daemons that it concerns. */
  readonly subjects: readonly string[];
  readonly text: string;
  readonly fix: string;
  readonly severity: Severity;
}

type Health = "good" | "busy" | "warn" | "bad";

const OWN = "This daemon";
const SUBJECTS_MAX = 3;

/** @param silentMs  how long no frame has arrived; null: frames are arriving */
export function showProblems(frame: DashboardFrame | null, silentMs: number | null): void {
  const problems = [...(silentMs === null ? [] : [silence(frame, silentMs)]), ...problemsOf(frame)];
  fill(at("problems"), problems);
  const isWaiting = frame === null && silentMs === null;
  at("no-problems").hidden = problems.some(({ severity }) => severity !== "note") || isWaiting;
  at("problems").hidden = problems.length === 0;
  showHealth(healthOf(frame, problems), { word: wordOf(frame, silentMs, problems), isWaiting });
}

/** A daemon that does not serve yet, and reports what it is doing until it does, has no fault. */
function healthOf(frame: DashboardFrame | null, problems: readonly Shown[]): Health {
  const has = (wanted: Severity) => problems.some(({ severity }) => severity === wanted);
  if (has("problem") || (frame?.isHealthy === false && !has("progress"))) return "bad";
  if (has("remark")) return "warn";
  return has("progress") ? "busy" : "good";
}

function wordOf(frame: DashboardFrame | null, silentMs: number | null, problems: readonly Shown[]): string {
  if (silentMs !== null) return "no answer";
  const count = (...wanted: Severity[]) =>
    problems.filter(({ severity }) => wanted.includes(severity)).length;
  const wrong = count("problem", "remark");
  if (wrong > 0) return wrong === 1 ? "1 problem" : `${wrong} problems`;
  const passing = count("progress");
  if (passing > 0) return `${passing} under way`;
  return frame?.isHealthy === false ? frame.state : "well";
}

const silence = (frame: DashboardFrame | null, silentMs: number): Shown => ({
  subjects: [OWN],
  text:
    frame === null
      ? "it has sent nothing yet"
      : `it has sent nothing for ${spanText(silentMs)}: what is below is of ${new Date(frame.now).toLocaleTimeString()}`,
  fix: "see whether it runs, and its log; the page connects again by itself",
  severity: "problem",
});

function problemsOf(frame: DashboardFrame | null): Shown[] {
  if (frame === null) return [];
  const own = frame.problems.map(
    ({ text, fix, severity }): Shown => ({
      subjects: [OWN],
      text,
      fix,
      severity,
    }),
  );
  // Many daemons often report the same problem.
  const claims = new Map<string, string[]>();
  for (const { address, problems } of frame.timeline?.members ?? [])
    for (const text of problems) claims.set(text, [...(claims.get(text) ?? []), address]);
  const reported = [...claims].map(
    ([text, subjects]): Shown => ({
      subjects,
      text,
      fix: "see its own page, or dbsync doctor",
      severity: "remark",
    }),
  );
  const ownOf = (wanted: Severity) => own.filter(({ severity }) => severity === wanted);
  return [...ownOf("problem"), ...ownOf("remark"), ...reported, ...ownOf("progress"), ...ownOf("note")];
}

function subjectText({ subjects }: Shown): string {
  if (subjects[0] === OWN) return OWN;
  const more = subjects.length - SUBJECTS_MAX;
  const named = subjects.slice(0, SUBJECTS_MAX).join(", ");
  return `${named}${more > 0 ? ` and ${more} more` : ""} ${subjects.length === 1 ? "reports" : "report"}`;
}

const CLASSES = { problem: "bad", remark: "warn", note: "quiet", progress: "quiet" } as const;
const CURES = {
  problem: "What to do",
  remark: "What to do",
  note: "What to do, if you need it",
  progress: "This ends by itself. If it does not",
} as const;

/** Changes only what differs, so that screen readers are not triggered. */
function fill(list: Element, problems: readonly Shown[]): void {
  while (list.children.length > problems.length) list.lastElementChild?.remove();
  for (const [index, problem] of problems.entries()) {
    const item = list.children[index] ?? list.appendChild(made("li"));
    if (item.children.length === 0) item.append(made("b"), " ", made("span"), made("small"));
    const [subject, text, fix] = item.children;
    if (subject === undefined || text === undefined || fix === undefined) continue;
    say(item.children[0] ?? item, `${subjectText(problem)}:`);
    say(text, `${problem.text}.`);
    say(fix, `${CURES[problem.severity]}: ${problem.fix}.`);
    item.className = CLASSES[problem.severity];
  }
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
  const icon = at<HTMLLinkElement>("icon");
  if (!icon.href.endsWith(ICONS[health])) icon.href = ICONS[health];
}
