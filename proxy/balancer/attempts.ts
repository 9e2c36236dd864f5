/** Tries servers one after the other for one statement, as long as that is harmless. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { UpstreamAnswer, UpstreamFailure } from "../upstream/outcome.js";
import type { UpstreamSession } from "../upstream/session.js";
import type { BalancedServer } from "./balanced-server.js";
import { isNotReady } from "./not-ready.js";

export interface Attempt {
  readonly servers: readonly BalancedServer[];
  readonly session: UpstreamSession;
  readonly statement: ByteString;
  /** Whether it changes nothing on servers, and so may be retried whatever its outcome. */
  readonly isRepeatable: boolean;
  /** A server has answered that it accepts no statements yet. */
  readonly notReady: (server: BalancedServer) => void;
}

/** The outcome at the last server that was tried. */
export type Attempted =
  | (UpstreamAnswer & { readonly server: BalancedServer; readonly tries: number })
  | (UpstreamFailure & { readonly server: BalancedServer; readonly tries: number });

/** Another server would say the same. */
const OF_STATEMENT: ReadonlySet<UpstreamFailure["why"]> = new Set(["too-long"]);

/** @param attempt  with one server at least */
export async function attempt({ servers, session, statement, ...rules }: Attempt): Promise<Attempted> {
  const { isRepeatable, notReady } = rules;
  let tries = 0;
  let notYet: (UpstreamAnswer & { readonly server: BalancedServer }) | null = null;
  for (const server of servers) {
    tries++;
    const outcome = await server.upstream.ask(session, statement);
    if (outcome.kind === "answered") {
      server.answered++;
      const isReady = !isNotReady(outcome);
      if (!isReady) {
        notReady(server);
        notYet = { ...outcome, server };
      }
      // A database that one server does not know yet may be known to another.
      const isAnswer = isReady && !outcome.isOfSession;
      if (isAnswer || tries === servers.length) return { ...outcome, server, tries };
      continue;
    }
    if (outcome.reached === "no") server.unreached++;
    else server.unknown++;
    const isOver = OF_STATEMENT.has(outcome.why) || (outcome.reached === "unknown" && !isRepeatable);
    if (isOver) return { ...outcome, server, tries };
    // A server that will soon accept statements is better than one that cannot be reached.
    if (tries === servers.length) return { ...(notYet ?? { ...outcome, server }), tries };
  }
  throw new Error("there is no server");
}
