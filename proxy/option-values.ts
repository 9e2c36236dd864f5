/** Values of options, as commander reads them. */
import { InvalidArgumentError } from "commander";
import { type ListenPlace, parsePlace } from "../net/process/place.js";

export function number(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It is a whole number from ${least} to ${most}.`);
  };
}

/** `3949`, `0.0.0.0:3949`, `[::]:3949`. */
export function listenPlace(text: string): ListenPlace {
  try {
    return parsePlace(text);
  } catch (problem) {
    throw new InvalidArgumentError((problem as Error).message);
  }
}
