/**
 * All grammars, and the keys that each family prefers. A new family needs one line here. Commands whose code the build
 * does not contain are left out.
 */
import { findCommand } from "../../daemon/store/command-table.js";
import type { Command } from "../../daemon/store/rows/command-row.js";
import { hasCode } from "../support/installed-families.js";
import type { FamilyGrammar, Generator } from "./grammar.js";
import { grammar as bitmaps } from "./grammars/bitmaps.js";
import { grammar as collections } from "./grammars/collections.js";
import { grammar as consumerGroups } from "./grammars/consumer-groups.js";
import { grammar as dbsync } from "./grammars/dbsync.js";
import { grammar as documents } from "./grammars/documents.js";
import { grammar as generic } from "./grammars/generic.js";
import { grammar as geo } from "./grammars/geo.js";
import { grammar as hashes } from "./grammars/hashes.js";
import { grammar as hyperloglogs } from "./grammars/hyperloglogs.js";
import { grammar as lists } from "./grammars/lists.js";
import { grammar as relations } from "./grammars/relations.js";
import { grammar as scripting } from "./grammars/scripting.js";
import { grammar as server } from "./grammars/server.js";
import { grammar as sets } from "./grammars/sets.js";
import { grammar as sortedSets } from "./grammars/sorted-sets.js";
import { grammar as streams } from "./grammars/streams.js";
import { grammar as strings } from "./grammars/strings.js";
import type { KeyFamily } from "./vocabulary.js";

export interface CommandGrammar {
  /** Name in the store's table. */
  readonly name: string;
  readonly keys: KeyFamily;
  readonly argumentsOf: FamilyGrammar[string];
}

export interface Family {
  readonly keys: KeyFamily;
  readonly commands: readonly CommandGrammar[];
}

const ALL_FAMILIES: readonly Family[] = [
  family("string", strings),
  family("string", bitmaps),
  family("sketch", hyperloglogs),
  family("any", generic),
  family("hash", hashes),
  family("list", lists),
  family("set", sets),
  family("zset", sortedSets),
  family("stream", { ...streams, ...consumerGroups }),
  family("geo", geo),
  family("document", documents),
  family("table", relations),
  family("collection", collections),
  family("any", scripting),
  family("any", server),
  family("any", dbsync),
];

/** The families with commands. */
export const families: readonly Family[] = ALL_FAMILIES.filter(({ commands }) => commands.length > 0);

export const commandGrammars: readonly CommandGrammar[] = families.flatMap(({ commands }) => commands);

/** Whether redis-server 7.0 has a command, according to `since` in its row. */
export const isInRedis = ({ since }: Command): boolean => since !== "" && since < "7.2";

/**
 * Families that redis-server has too, without commands that only one side could execute: the keys that they write would
 * exist on one side only.
 */
export const comparedFamilies: readonly Family[] = families
  .filter(({ keys }) => keys !== "document" && keys !== "table" && keys !== "collection")
  .map(({ keys, commands }) => ({
    keys,
    commands: commands.filter(({ name }) => {
      const row = findCommand(name) as Command;
      return isInRedis(row) || !row.writes;
    }),
  }));
export const comparedGrammars: readonly CommandGrammar[] = comparedFamilies.flatMap(
  ({ commands }) => commands,
);

function family(keys: KeyFamily, grammar: FamilyGrammar): Family {
  const rows = Object.entries(grammar).filter(([name]) => hasCode(name));
  return { keys, commands: rows.map(([name, argumentsOf]) => ({ name, keys, argumentsOf })) };
}

/** Returns the grammar's arguments for one call, with the keys of its family. */
export function argumentsFor(g: Generator, { keys, argumentsOf }: CommandGrammar): readonly string[] {
  g.family = keys;
  return argumentsOf(g);
}
