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
  {
    name: "lists: one peer vouches for a list whose signer is not known",
    file: "daemon/peers/vouched-lists.js",
    find: "return count >= majorityOf(configured) ? count : null;",
    replace: "return count;",
    test: "test/daemon/members/rotated-root.test.js",
  },
  {
    name: "lists: no peer vouches for a list whose signer is not known",
    file: "daemon/peers/listed-members.js",
    find: 'if (outcome !== "unknown-signer")',
    replace: "if (true)",
    test: "test/daemon/members/rotated-root.test.js",
  },
  {
    name: "lists: a daemon that lets this one go does not vouch",
    file: "daemon/peers/listed-members.js",
    find: "this.#takeFrom(id, body, signature);",
    replace: "this.#parts.peering.lists?.take(Buffer.from(body), Buffer.from(signature));",
    test: "test/daemon/peers/listed-members.test.js",
  },
  {
    name: "lists: a member goes by the word of one peer",
    file: "daemon/members/member-lists.js",
    find: "if (mayHaveWrites && peers < 2)",
    replace: "if (false)",
    test: "test/daemon/members/member-lists.test.js",
  },
];
