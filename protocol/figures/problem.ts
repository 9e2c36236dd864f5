/** The problems of a daemon, as dbsync doctor and the dashboard show them, and the form of the rules that find them. */

/**
 * `problem`: requires an operator. `remark`: may be intended. `note`: matters only to clients that may not exist.
 * `progress`: resolves itself.
 */
export type Severity = "problem" | "remark" | "note" | "progress";

export interface Problem {
  /** The name of the rule that found the problem, by which programs identify it. */
  readonly code: string;
  /** The address of the member that the problem concerns, or "" if it concerns no single member. */
  readonly member: string;
  readonly text: string;
  /** The remedy. */
  readonly fix: string;
  readonly severity: Severity;
  /** Whether the problem concerns a member or the connection to it. The daemon itself may be healthy. */
  readonly isOfMember: boolean;
}

/** The texts that replace each … of a rule: first those of its sentence, then those of its remedy. */
type Values = readonly (string | number)[];

/** An alarm for Prometheus. `npm run tables` writes it into docs/operations.md and examples/production/alerts.yml. */
export interface Alarm {
  /** The instructions for the operator, with links as in docs/operations.md. */
  readonly steps: string;
  /** The sentences of `dbsync status` that no rule has. */
  readonly says?: readonly string[];
  /** The expression for Prometheus. */
  readonly expr: string;
  /** The time for which the expression must be true, or null if the alarm fires immediately. */
  readonly lasting: string | null;
  readonly severity: "critical" | "warning";
  readonly summary: string;
}

export type Alarms = Readonly<Record<string, Alarm>>;

/** A rule that finds a problem. The documents contain its sentence as it is here, with … for the parts that vary. */
export interface ProblemRule<Subject> {
  /** Returns whether the problem exists, or the values of each case of it. */
  readonly when: (subject: Subject) => boolean | readonly Values[];
  /** The sentence of `dbsync status`. */
  readonly says: string;
  /** The remedy. */
  readonly fix: string;
  readonly severity: Severity;
  /** The alarm that fires for this problem, or null. */
  readonly alarm: string | null;
  /** The instructions in docs/operations.md, with links as there, if they are not those of the alarm. */
  readonly steps?: string;
}

export type Rules<Subject> = Readonly<Record<string, ProblemRule<Subject>>>;

/** What the problems that rules find have in common. */
type Concern = Pick<Problem, "member" | "isOfMember">;

const OF_NO_MEMBER: Concern = { member: "", isOfMember: false };

/** Returns the problems that the rules find, in the order of the rules. */
export function problemsBy<Subject>(
  rules: Rules<Subject>,
  subject: Subject,
  concern: Concern = OF_NO_MEMBER,
): Problem[] {
  return Object.entries(rules).flatMap(([code, rule]) =>
    foundBy(rule, subject).map((found) => ({ code, ...found, ...concern })),
  );
}

/** Returns what one rule finds. */
function foundBy<Subject>(
  { when, says, fix, severity }: ProblemRule<Subject>,
  subject: Subject,
): Pick<Problem, "text" | "fix" | "severity">[] {
  const found = when(subject);
  const cases = typeof found === "boolean" ? (found ? [[]] : []) : found;
  return cases.map((values) => {
    const rest = [...values];
    const fill = (template: string) => template.replace(/…/g, () => String(rest.shift()));
    return { text: fill(says), fix: fill(fix), severity };
  });
}
