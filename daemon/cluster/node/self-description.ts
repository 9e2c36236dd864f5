/** The report that a daemon sends to its members for their dashboards. It contains no names of keys, and no ids. */

import { publicProblems } from "../../../protocol/figures/public-problems.js";
import type { MemberAbout } from "../../../protocol/members/about-message.js";
import { isLoopback } from "../../net/process/loopback.js";
import { version } from "../../net/process/version.js";
import type { RecordedWrites } from "./recorded-writes.js";

/** Milliseconds for which a report is reused: in this time all members receive the same report. */
const SAME_MS = 1000;

export function describeSelf(node: RecordedWrites): () => MemberAbout {
  const { environment, disk } = node;
  let last: MemberAbout | null = null;
  let madeAt = Number.NEGATIVE_INFINITY;
  return () => {
    const now = environment.uptime();
    if (last !== null && now - madeAt < SAME_MS) return last;
    madeAt = now;
    const { free, size } = disk.check() ?? { free: 0, size: 0 };
    const page = node.page();
    const { figures } = node;
    const found = figures === null ? [] : publicProblems(figures, environment.clock());
    last = {
      software: version,
      pagePort: page?.port ?? 0,
      isPageLocal: page !== null && isLoopback(page.address) === true,
      diskFree: free,
      diskSize: size,
      // Problems that resolve without an operator are shown only on the daemon's own page.
      problems: found.filter(({ severity }) => severity === "problem").map(({ text }) => text),
    };
    return last;
  };
}
