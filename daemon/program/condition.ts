/** The daemon's state, which follows from its phase and from the states of its components. */
import { DAEMON_STATES, type DaemonCondition } from "../../protocol/daemon-states.js";
import type { Figures } from "./components.js";

export type Phase = "starting" | "running" | "stopping";

/** Returns the state. The first reason that applies determines it: a write receives the same refusal. */
export function conditionOf(
  phase: Phase,
  {
    backends,
    recordingCondition,
    documentsPending,
  }: Pick<Figures, "backends" | "recordingCondition" | "documentsPending">,
): DaemonCondition {
  if (phase !== "running") return { state: phase, reason: "" };
  const down = backends().find(({ up }) => !up);
  if (down !== undefined) return { state: "database-down", reason: down.name };
  const recording = recordingCondition();
  const pending = documentsPending();
  return pending !== null && DAEMON_STATES[recording.state].refusal === null
    ? { state: "loading-documents", reason: pending }
    : recording;
}
