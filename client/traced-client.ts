/**
 * The client for the option `debug`. Its errors show where the call was made. An answer arrives in a separate task,
 * whose stack does not contain the caller. Recording the stack of each call is expensive, so other clients do not do
 * it.
 */
import { ListeningClient } from "./listening-client.js";
import type { CallOptions, CallSettings, TypedCallOptions } from "./settings/call-options.js";
import type { CommandInput } from "./shared/command-input.js";
import type { Outcome } from "./shared/errors.js";
import type { ReplyValue } from "./shared/reply-value.js";

export class TracedClient extends ListeningClient {
  override sendWith(command: CommandInput, settings: CallSettings): Promise<string | null> {
    return fromCaller(super.sendWith(command, settings), this.sendWith);
  }

  override call<Reply extends ReplyValue = ReplyValue>(
    command: CommandInput,
    options?: TypedCallOptions,
  ): Promise<Reply> {
    return fromCaller(super.call<Reply>(command, options), this.call);
  }

  override multi(
    commands: readonly CommandInput[],
    options?: TypedCallOptions,
  ): Promise<ReplyValue[] | null> {
    return fromCaller(super.multi(commands, options), this.multi);
  }

  override sendAll(command: CommandInput, options?: CallOptions): Promise<{ outcomes: Outcome[] }> {
    return fromCaller(super.sendAll(command, options), this.sendAll);
  }
}

/**
 * Adds the stack of the caller to the error of a call.
 * @param below  the function whose caller is at the top of the stack
 */
function fromCaller<Result>(result: Promise<Result>, below: (...given: never[]) => unknown): Promise<Result> {
  const caller: { stack?: string } = {};
  Error.captureStackTrace(caller, below);
  return result.catch((error: Error) => {
    const frames = (caller.stack ?? "").split("\n").slice(1);
    error.stack = [`${error.name}: ${error.message}`, ...frames].join("\n");
    throw error;
  });
}
