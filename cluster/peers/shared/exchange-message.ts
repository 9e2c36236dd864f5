/** The messages that members exchange after both have authenticated. */
import type { MemberMessage, OwnMessage } from "../../../protocol/members/member-messages.js";

export type ExchangeMessage = Exclude<OwnMessage, { kind: "challenge" | "proof" | "bye" }>;

export function isExchange(message: MemberMessage): message is ExchangeMessage {
  const { kind } = message;
  return kind !== "hello" && kind !== "challenge" && kind !== "proof" && kind !== "bye";
}
