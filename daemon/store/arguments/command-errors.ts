/** The errors that several commands return, in the wording of Redis 7. Source: redis-server 7.0, test/conformance. */
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../../protocol/reply.js";

/** Maximum length of an error's text, which may repeat an argument of any length. */
const TEXT_BYTES_MAX = 64 * 1024;

/** Thrown by a handler when its command fails. The handler must not have changed anything. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly reply: ErrorReply;

  /**
   * @param text the error; line breaks, which would end the error line, are replaced by spaces
   * @param details the details of the ErrorReply
   */
  constructor(text: ByteString, details?: ByteString) {
    const line = text.slice(0, TEXT_BYTES_MAX).replace(/[\r\n]/g, " ");
    super(line);
    this.reply = details === undefined ? error(line) : { ...error(line), details };
  }
}

const failure = (text: ByteString) => () => new CommandFailure(text);

export const wrongType = failure("WRONGTYPE Operation against a key holding the wrong kind of value");
export const syntaxError = failure("ERR syntax error");
export const notInteger = failure("ERR value is not an integer or out of range");
export const notInt32 = failure("ERR value is out of range, value must between -2147483648 and 2147483647");
export const notFloat = failure("ERR value is not a valid float");
export const mustBePositive = failure("ERR value is out of range, must be positive");
export const noSuchKey = failure("ERR no such key");
export const indexOutOfRange = failure("ERR index out of range");
export const overflow = failure("ERR increment or decrement would overflow");
export const nanOrInfinity = failure("ERR increment would produce NaN or Infinity");
export const offsetOutOfRange = failure("ERR offset is out of range");
export const stringTooLong = failure("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
export const dbIndexOutOfRange = failure("ERR DB index is out of range");
export const sameObject = failure("ERR source and destination objects are the same");

export const wrongArity = (name: string) =>
  new CommandFailure(`ERR wrong number of arguments for '${bytesOfText(name)}' command`);
export const invalidExpire = (name: string) =>
  new CommandFailure(`ERR invalid expire time in '${name}' command`);
export const custom = (text: ByteString) => new CommandFailure(text);

/** The failure of a command that changes nothing and whose code cannot be imported, for example after an upgrade. */
export function notLoaded(commands: string, problem: unknown): CommandFailure {
  return custom(bytesOfText(`ERR the code of ${commands} cannot be loaded: ${(problem as Error).message}`));
}

/** Maximum number of bytes of a name, and of all arguments together, that an error repeats. */
const ECHO_BYTES_MAX = 128;

export function unknownCommand(argv: readonly ByteString[]): CommandFailure {
  let args = "";
  for (let i = 1; i < argv.length && args.length < ECHO_BYTES_MAX; i++) {
    args += `'${echoed(argv[i] as ByteString, ECHO_BYTES_MAX - args.length)}' `;
  }
  return new CommandFailure(
    `ERR unknown command '${echoed(argv[0] ?? "", ECHO_BYTES_MAX)}', with args beginning with: ${args}`,
  );
}

/** @param others the existing subcommands; if undefined, the error has Redis's wording */
export function unknownSubcommand(
  container: string,
  name: ByteString,
  others?: readonly string[],
): CommandFailure {
  const hint = others === undefined ? `Try ${container} HELP.` : `There are ${others.join(", ")}.`;
  return new CommandFailure(`ERR unknown subcommand '${echoed(name, ECHO_BYTES_MAX)}'. ${hint}`);
}

/**
 * Returns the part of an argument that an error's text repeats: the bytes before the first NUL byte, as in C. Spaces
 * replace line breaks, which would end the error line.
 */
export function echoed(bytes: ByteString, max = ECHO_BYTES_MAX): ByteString {
  const end = bytes.indexOf("\0");
  return (end < 0 ? bytes : bytes.slice(0, end)).slice(0, max).replace(/[\r\n]/g, " ");
}
