/**
 * Formats the help of `dbsync`. `dbsync --help` explains the common options; the help of a subcommand only names them.
 */
import { Command, Help, type Option } from "commander";
import { addClientOptions, isCommonOption } from "./client-options.js";

/** Formats help for commander's `configureHelp`. */
export function formatHelp(command: Command, helper: Help): string {
  const visibleOptions = (one: Command) =>
    helper.visibleOptions(one).filter((option) => !isCommonOption(option));
  const ownHelp = Object.assign(new Help(), helper, { visibleOptions });
  const text = Help.prototype.formatHelp.call(ownHelp, command, ownHelp);
  if (command.parent === null)
    return `${text}\n${commonOptions(ownHelp, ownHelp.padWidth(command, ownHelp))}`;
  const common = helper.visibleOptions(command).filter(isCommonOption);
  if (common.length === 0) return text;
  return `${text}\nCommon options, which dbsync --help explains: ${common.map(nameOf).join(", ")}\n`;
}

/** Returns the common options with their descriptions. */
function commonOptions(helper: Help, width: number): string {
  const { options } = addClientOptions(new Command());
  const items = options.map((option) =>
    helper.formatItem(helper.optionTerm(option), width, helper.optionDescription(option), helper),
  );
  return helper.formatItemList(options[0]?.helpGroupHeading ?? "", items, helper).join("\n");
}

/** Returns an option's name, with its default if subcommands have different ones. */
function nameOf({ short, long, description }: Option): string {
  const [, preset] = long === "--timeout" ? (/\((default: .*)\)$/.exec(description) ?? []) : [];
  return `${short ?? long}${preset === undefined ? "" : ` (${preset})`}`;
}
