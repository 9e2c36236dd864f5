/**
 * Domains of columns. A domain consists of atoms; a column accepts null and every value that at least one atom of its
 * domain accepts.
 */
import { type ByteString, isAscii, textOfBytes } from "../../../../protocol/byte-string.js";
import { beginsWithDay } from "../../../../protocol/calendar-date.js";
import type { Cell } from "./cell.js";
import { numberOfText } from "./number-text.js";

/** A type with its bounds, which are inclusive; null means no bound. The bounds of texts count UTF-16 units. */
export type DomainAtom =
  | { readonly kind: "number"; readonly min: number | null; readonly max: number | null }
  | { readonly kind: "text"; readonly min: number | null; readonly max: number | null }
  | { readonly kind: "date" }
  | { readonly kind: "enumeration"; readonly allowed: readonly Cell[] };

export type Domain = readonly DomainAtom[];

export function fits(domain: Domain, cell: Cell): boolean {
  return cell === null || domain.some((atom) => atomAccepts(atom, cell));
}

/**
 * Converts a text that was bound to a `?` and may represent a number: the first atom that accepts it as a text or as a
 * number decides.
 * @returns undefined if no atom accepts it
 */
export function boundCell(domain: Domain, text: ByteString): Cell | undefined {
  const number = numberOfText(text);
  for (const atom of domain) {
    if (atomAccepts(atom, text)) return text;
    if (number !== undefined && atomAccepts(atom, number)) return number;
  }
  return undefined;
}

function atomAccepts(atom: DomainAtom, cell: Cell): boolean {
  switch (atom.kind) {
    case "number":
      return typeof cell === "number" && Number.isFinite(cell) && isWithin(cell, atom);
    case "text":
      return typeof cell === "string" && isWithin(lengthOf(cell), atom);
    case "date":
      return typeof cell === "string" && isDate(cell);
    case "enumeration":
      return atom.allowed.includes(cell);
  }
}

const isWithin = (size: number, { min, max }: { min: number | null; max: number | null }) =>
  (min === null || size >= min) && (max === null || size <= max);

const lengthOf = (text: ByteString) => (isAscii(text) ? text.length : textOfBytes(text).length);

const DATE = /^\d{4}-\d\d-\d\d(?:[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?)?$/;

/** Whether a text is a date: `2026-11-21`, or with a time of day after a space or a T. */
export const isDate = (text: ByteString): boolean => DATE.test(text) && beginsWithDay(text);

/** Returns a domain as text, for snapshots and catalogues. */
export function domainText(domain: Domain): ByteString {
  return JSON.stringify(domain.map(atomText));
}

const atomText = (atom: DomainAtom): readonly unknown[] =>
  atom.kind === "enumeration"
    ? [atom.kind, ...atom.allowed]
    : atom.kind === "date"
      ? [atom.kind]
      : [atom.kind, atom.min, atom.max];

/** @returns undefined if the text is not a domain */
export function domainOfText(text: ByteString): Domain | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parsed)) return undefined;
  const atoms = parsed.map(atomOf);
  return atoms.every((atom) => atom !== undefined) ? atoms : undefined;
}

function atomOf(parsed: unknown): DomainAtom | undefined {
  if (!Array.isArray(parsed)) return undefined;
  const [kind, ...rest] = parsed as readonly unknown[];
  const [min, max] = rest;
  if (kind === "date") return { kind };
  if (kind === "enumeration" && rest.every(isCell)) return { kind, allowed: rest.map(plain) };
  if ((kind === "number" || kind === "text") && isBound(min) && isBound(max))
    return { kind, min: plain(min), max: plain(max) };
  return undefined;
}

/**
 * JSON permits numbers that are too large for a double, characters above 255, and -0, all of which would change when
 * they are written again. The first two are rejected here, and `plain` converts -0 to 0.
 */
const isBound = (value: unknown): value is number | null => value === null || Number.isFinite(value);
export const isCell = (value: unknown): value is Cell =>
  isBound(value) || (typeof value === "string" && BYTES.test(value));
const BYTES = /^[\0-\xff]*$/;
const plain = <Kept extends Cell>(cell: Kept): Kept =>
  typeof cell === "number" ? ((cell + 0) as Kept) : cell;
