/** An environment in which long work takes many turns, however fast the machine is. */
import { type Environment, realEnvironment } from "../../daemon/net/process/clock-and-randomness.js";
import { TURN_MS } from "../../protocol/steps.js";

/** Returns an environment whose uptime advances by a turn at each reading, so that each step of long work is a turn. */
export function slowEnvironment(): Environment {
  let now = 0;
  return { ...realEnvironment, uptime: () => (now += TURN_MS) };
}
