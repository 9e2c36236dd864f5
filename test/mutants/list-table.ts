/** How daemons go by lists of members, each rule broken in one place; the simulation finds them out. */
import type { Mutant } from "./mutant.js";

export const listMutants: readonly Mutant[] = [
  {
    name: "lists: one that has just come to be live joins",
    file: "daemon/members/bound-lists.js",
    find: ' || peering().state !== "catching-up"',
    replace: "",
    killer: "lists",
    from: 938_013,
  },
  {
    name: "lists: a full disk ends a daemon that is given one",
    file: "daemon/members/member-lists.js",
    find: "saved.catch(() => { });",
    replace: "",
    killer: "lists",
    from: 938_042,
  },
  {
    name: "lists: one that is left out takes writes",
    file: "daemon/replica/recorder.js",
    find: "const own = lists?.refusal ?? null;",
    replace: "const own = null;",
    killer: "lists",
    from: 938_035,
  },
  {
    name: "lists: one that stays has to know none",
    file: "client/cli/members/next-members.js",
    find: "if (heads.length > 0 && !complete.some(isListed))",
    replace: "if (false)",
    test: "test/client/cli/members/next-members.test.js",
  },
  {
    name: "lists: what was told too few is not told again",
    file: "client/cli/members/next-members.js",
    find: "return isDone && isBehind ? list : null;",
    replace: "return null;",
    test: "test/client/cli/members/next-members.test.js",
  },
];
