/** What a connection does itself, by command. A new family of such commands is one line here. */
import type { SessionHandlers } from "./command-routes.js";
import { greetingHandlers } from "./greeting.js";
import { transactionHandlers } from "./transactions.js";

export const sessionHandlers: SessionHandlers = new Map([...greetingHandlers, ...transactionHandlers]);
