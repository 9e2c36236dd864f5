/**
 * Calls of the commands that Redis does not have. KEY is always an error here, since the database receives it without
 * an envelope.
 */
import type { FamilyGrammar } from "../grammar.js";

const ID = "00".repeat(32);

export const grammar: FamilyGrammar = {
  DECIDED: (g) => g.keys(),
  WRITERS: (g) => g.keys(),
  "CLUSTER|ADD": (g) => [g.value(), ...g.maybe(0.5, "LABEL", g.value())],
  // The database receives them without a decision, so they change nothing.
  "CLUSTER|DECIDE": (g) => [g.value(), ...g.maybe(0.5, "DB", "1"), ...g.maybe(0.5, "PAIR")],
  "CLUSTER|DECIDED": (g) => [g.value(), ...g.maybe(0.5, "DB", "1")],
  "CLUSTER|MEMBERS": (g) => g.maybe(0.5, g.value()),
  "CLUSTER|SEMANTICS": (g) => [g.value()],
  "CLUSTER|UNDECIDE": (g) => [g.value(), ...g.maybe(0.5, "DB", "1")],
  KEY: () => [],
  "KEY|ADD": (g) => [g.value(), ...g.maybe(0.5, "LABEL", g.value()), ...g.maybe(0.5, "RULES", "+get", "~*")],
  "KEY|DRYRUN": (g) => [ID, "GET", g.key()],
  "KEY|INFO": () => [ID],
  "KEY|LIST": () => [],
  "KEY|REVOKE": () => [ID],
  "KEY|RULES": (g) => [ID, g.oneOf("+get", "-@all", "nonsense")],
  TIMELINE: () => [],
  "TIMELINE|BLAME": (g) => [g.key()],
  "TIMELINE|DEADLETTERS": (g) => g.maybe(0.5, "LIMIT", "1"),
  "TIMELINE|OUTCOME": (g) => [g.value(), g.value()],
  "TIMELINE|GET": (g) => ["0", "GET", g.key()],
  "TIMELINE|LOG": (g) => g.maybe(0.5, "LIMIT", "1"),
  "TIMELINE|REPAIR": (g) => g.maybe(0.5, "TAKEOVER"),
  "TIMELINE|STATUS": () => [],
};
