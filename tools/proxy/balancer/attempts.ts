/** Tries servers one after the other for one statement, as long as that is safe. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { UpstreamAnswer, UpstreamFailure } from "../upstream/statement-outcome.js";
import type { UpstreamSession } from "../upstream/upstream-session.js";
import type { BalancedServer } from "./balanced-server.js";
import { isNotReady } from "./not-ready.js";

export interface Attempt {
  readonly servers: readonly BalancedServer[];
  readonly session: UpstreamSession;
  readonly statement: ByteString;
  /** Whether the statement changes nothing on servers. It may then be retried after any outcome. */
  readonly isRepeatable: boolean;
  /** Called when a server has answered that it accepts no statements yet. */
  readonly notReady: (server: BalancedServer) => void;
}

/** The outcome on the last server that was tried. */
export type AttemptOutcome =
  | (UpstreamAnswer & { readonly server: BalancedServer; readonly tries: number })
  | (UpstreamFailure & { readonly server: BalancedServer; readonly tries: number });

/** The failures that are due to the statement, which would therefore fail on every server. */
const OF_STATEMENT: ReadonlySet<UpstreamFailure["why"]> = new Set(["too-long"]);

/** Tries the servers. @param attempt  must have at least one server */
export async function attempt({ servers, session, statement, ...rules }: Attempt): Promise<AttemptOutcome> {
  const { isRepeatable, notReady } = rules;
  let tries = 0;
  let notYet: (UpstreamAnswer & { readonly server: BalancedServer }) | null = null;
  for (const server of servers) {
    tries++;
    const outcome = await server.upstream.execute(session, statement);
    if (outcome.kind === "answered") {
      server.answered++;
      const isReady = !isNotReady(outcome);
      if (!isReady) {
        notReady(server);
        notYet = { ...outcome, server };
      }
      // If one server does not know the session's database yet, another one may know it.
      const isAnswer = isReady && !outcome.isOfSession;
      if (isAnswer || tries === servers.length) return { ...outcome, server, tries };
      continue;
    }
    if (outcome.reached === "no") server.unreached++;
    else server.unknown++;
    const isOver = OF_STATEMENT.has(outcome.why) || (outcome.reached === "unknown" && !isRepeatable);
    if (isOver) return { ...outcome, server, tries };
    // The answer of a server that will soon accept statements is preferable to the failure of an unreachable one.
    if (tries === servers.length) return { ...(notYet ?? { ...outcome, server }), tries };
  }
  throw new Error("there is no server");
}
