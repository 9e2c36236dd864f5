/** What a user's rules say against a command, those on channels among them. Source: redis-server 7.0, acl.c. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { AclRefusal } from "../../store/rights/acl.js";
import { forbiddenChannel } from "../../store/rights/channel-rights.js";
import type { Command } from "../../store/rows/command.js";
import type { User } from "./users.js";

/** null: nothing. */
export function refusalOf(
  { acl, channels }: User,
  command: Command,
  argv: readonly ByteString[],
): AclRefusal | null {
  const refusal = acl.isUnlimited ? null : acl.refusal(command, argv);
  if (refusal !== null || channels === null) return refusal;
  const channel = forbiddenChannel(channels, command.name, argv);
  return channel === null ? null : { what: "channel", channel };
}
