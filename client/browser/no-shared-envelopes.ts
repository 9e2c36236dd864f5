/** Replaces version-2/shared-envelopes.ts in the bundle: a page has few calls at a time, each with its own envelope. */
import { COMMANDS_MAX } from "../../protocol/version-2/envelope.js";
import type { SentBatch } from "../calls/sending.js";
import { type EnvelopeOptions, isDatabaseAlone } from "../settings/header-options.js";

export class SharedOptions {
  of(): null {
    return null;
  }
}

export const unitsMax = (options: EnvelopeOptions | null): number =>
  options === null || isDatabaseAlone(options) ? COMMANDS_MAX : 1;
export const hasConditions = ({ options }: Pick<SentBatch, "options">): boolean => options?.if != null;
export const mustDecide = (): boolean => false;
/** Returns the header as it is: the options of an envelope contain the conditions of its only call. */
export const withConditions = <Header>(header: Header): Header => header;
