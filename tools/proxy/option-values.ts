/** Parsers of option values for commander. */
import { InvalidArgumentError } from "commander";
import { type ListenAddress, parseHostAndPort } from "../../daemon/net/process/host-and-port.js";

export function number(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
  };
}

/** Parses an address to listen on, such as `3949`, `0.0.0.0:3949` or `[::]:3949`. */
export function listenAddress(text: string): ListenAddress {
  try {
    return parseHostAndPort(text);
  } catch (problem) {
    throw new InvalidArgumentError((problem as Error).message);
  }
}
