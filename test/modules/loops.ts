/** Finds the loops of a test that repeat something until it succeeds: `until` of support/until.ts limits these. */

interface Loop {
  /** The line with which it begins. */
  readonly head: string;
  /** The condition under which it continues; "" if it has none. */
  readonly condition: string;
  /** The statements; "" if the loop only evaluates its condition. */
  readonly body: string;
}

/** Returns the position of the bracket that closes the one at `start`. */
function closing(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if ("({".includes(text[at] as string)) depth++;
    if (")}".includes(text[at] as string) && --depth === 0) return at;
  }
  return text.length;
}

/** Returns the statement, or the block, that begins at a position. */
function statementAt(text: string, start: number): string {
  const from = start + (/^\s*/.exec(text.slice(start))?.[0].length ?? 0);
  if (text[from] === ";") return "";
  return text[from] === "{"
    ? text.slice(from, closing(text, from) + 1)
    : (/^[\s\S]*?;\n/.exec(text.slice(from))?.[0] ?? "");
}

/** Returns the loops of a text that do not count their passes. */
function loopsOf(text: string): readonly Loop[] {
  const loops: Loop[] = [];
  let doneUpTo = 0;
  for (const { 0: head, 1: word, index } of text.matchAll(/^ *(?:(while|for) \(|do (?!:)).*$/gm)) {
    // The condition after the block of `do` is no loop of its own.
    if (index < doneUpTo && word === "while" && head.endsWith(");")) continue;
    const start = text.indexOf(word === undefined ? "do" : "(", index);
    if (word === undefined) {
      const body = statementAt(text, start + 2);
      const from = text.indexOf("(", text.indexOf("while (", start + body.length));
      doneUpTo = closing(text, from);
      loops.push({ head, condition: text.slice(from + 1, doneUpTo), body });
      continue;
    }

    const end = closing(text, start);
    const inside = text.slice(start + 1, end);
    const [, condition = inside, step] = /^[^;]*;([^;]*);([^;]*)$/.exec(inside) ?? [];
    // A loop with a step counts, and one without `;` is over values.
    if (word === "for" && step?.trim() !== "") continue;
    loops.push({ head, condition: condition.trim(), body: statementAt(text, end + 1) });
  }
  return loops;
}

/** Matches the waits for what a connection or a simulation does next, which have a limit of their own. */
const RECEIVING =
  /await (?:[\w.#]+\.)?(?:next\w*|read\w*|inTime|#change|runUntil|turns)\(|performance\.now\(\)/;

/** Matches the body of a loop that only pauses. */
const PAUSING =
  /^\{?\s*await (?:(?:[\w.]+\.)?(?:pause|sleep|delay|turns?|nextTurn|soon|setTimeout|setImmediate)\(|new Promise\b[^;]*set(?:Timeout|Immediate))[^;]*;\s*\}?\s*$/;

/** Whether a loop has no limit, and ends only when something that it repeats succeeds. */
function isEndless({ condition, body, head }: Loop): boolean {
  if (/\bcursor\b/.test(`${head} ${condition}`)) return false;
  if (head.trim().startsWith("do")) return body.includes("await");
  if (body === "") return !/\.next\(\)\)?\.done(?: !== true)?$/.test(condition);
  if (condition.includes("await") && !condition.includes(" && ")) return !RECEIVING.test(condition);
  if (!body.includes("await")) return false;
  if (PAUSING.test(body)) return true;
  if (condition === "") return !RECEIVING.test(body);
  return (
    /\(\) [<>]/.test(condition) ||
    condition.split(" || ").some((each, _, all) => all[1] && !/[<>]/.test(each))
  );
}

/** Returns the first lines of the loops of a test that until.ts should replace. */
export function endlessLoops(text: string): readonly string[] {
  return loopsOf(text)
    .filter(isEndless)
    .map(({ head }) => head.trim());
}
