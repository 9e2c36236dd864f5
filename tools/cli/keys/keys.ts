/** `dbsync keys`: manages the public keys whose commands the daemons accept, and the rules of each key. */
import type { Command } from "commander";
import type { Settings } from "../../../client/settings/client-settings.js";
import type { SigningKey } from "../../../client/settings/signing-key.js";
import { realEnvironment } from "../../../client/shared/client-environment.js";
import { DbsyncError, type Outcome } from "../../../client/shared/errors.js";
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import { describeOutcome } from "../../../client/shared/sentences.js";
import { shownLines } from "../../../daemon/net/terminal/terminal-text.js";
import { formatHeadedTable, formatTable } from "../../../daemon/net/terminal/text-table.js";
import { loadPublicKey } from "../../../keys/key-file.js";
import {
  addClientOptions,
  type ClientFlags,
  openFrom,
  readCount,
  readSettings,
} from "../shared/client-options.js";
import { formatDate, parseDate } from "../shared/date-text.js";
import { EXIT, exitCodeHelp } from "../shared/exit-codes.js";
import { parseOptionsAfterArguments } from "../shared/options-after-arguments.js";
import { JSON_FLAG, outcomeLine, printJson, printLine, printNotice } from "../shared/output.js";
import { fieldsOf } from "../shared/read-figures.js";
import {
  type Answer,
  type DaemonRing,
  idOf,
  queryEach,
  type RingKey,
  readKey,
  ringsOf,
} from "./fetch-key-rings.js";
import { explainErrors, hintFor } from "./key-advice.js";

const LIST = ["KEY", "LIST"];

const KEY_ARGUMENT = "its id, the first digits of its id, its label, or its file, such as public.pem";

interface AddFlags extends ClientFlags {
  readonly label?: string;
  readonly rules?: string;
  readonly from?: string;
  readonly until?: string;
  readonly rate?: number;
}

/** The settings, the administrator's key and the functions that all actions need. */
interface Administration {
  readonly settings: Settings;
  readonly key: SigningKey;
  /** Signs a command once and sends it to all daemons. */
  readonly sendToAll: (command: readonly string[]) => Promise<Outcome[]>;
  /** Sends a command to each daemon separately. */
  readonly query: (command: readonly string[]) => Promise<Answer[]>;
  readonly idOf: (text: string) => Promise<string>;
}

export function addKeys(program: Command): void {
  const keys = program
    .command("keys")
    .description("add, list and revoke public keys, and set the rules of each")
    .enablePositionalOptions()
    .addHelpText(
      "after",
      `
For administrators: sign with an administrator's private key (-k). The daemons must know its public key, for example by
dbsyncd -s public.pem --root-key root-public.pem
The command is sent to all daemons. Daemons without peers keep separate lists: if one did not receive a command, repeat it.

Examples:
  dbsync keys add web-public.pem --label web --rules '+@read ~app:*' -k root-private.pem
  dbsync keys rules web '+@read +@write ~app:*' -k root-private.pem
  dbsync keys list -k root-private.pem
  dbsync keys revoke web -k root-private.pem
${exitCodeHelp("a daemon did not make the change, or does not answer")}`,
    );
  addAdd(keys);
  addRules(keys);
  addList(keys);
  addInfo(keys);
  addRevoke(keys);
  addDryrun(keys);
}

function subcommand(
  parent: Command,
  [usage, description]: [usage: string, description: string],
  { examples, failed }: { examples: string; failed: string },
): Command {
  return addClientOptions(parent.command(usage).description(description))
    .option(JSON_FLAG, "print JSON; ids in full, dates in milliseconds since 1970")
    .addHelpText("after", `\nExamples:\n${examples}\n${exitCodeHelp(failed)}`);
}

const NOT_DONE = "a daemon did not make the change, or does not answer";

function addAdd(keys: Command): void {
  const examples = `  dbsync keys add web-public.pem --label web --rules '+@read ~app:*' -k root-private.pem
  dbsync keys add ci-public.pem --label ci --until 90d --rate 100 -k root-private.pem`;
  subcommand(keys, ["add <file>", "add a public key"], { examples, failed: NOT_DONE })
    .option("--label <text>", "a name for the key")
    .option(
      "--rules <rules>",
      "rules in Redis's ACL syntax (default: +@all -@admin ~*); dbsync keys rules replaces them later",
    )
    .option(
      "--from <date>",
      "when the key becomes valid: 2027-01-31, 2027-01-31T12:00Z, or 12h for 12 hours from now",
    )
    .option("--until <date>", "when the key expires, in the same form")
    .option("--rate <number>", "envelopes a second that each daemon accepts from the key", (text) =>
      readCount(text, "A rate is"),
    )
    .action((file: string, flags: AddFlags) =>
      administer(flags, async ({ sendToAll, query }) => {
        const { key, fingerprint } = loadPublicKey({ file }, { kinds: ["rsa", "ed25519"] });
        const text = key.export({ type: "spki", format: "der" }).toString("base64");
        const command = ["KEY", "ADD", text, ...addOptions(flags)];
        if (flags.label !== undefined) await warnOfNamesakes(flags.label, fingerprint, query);
        reportKeyChange(flags, await sendToAll(command), (id) => `added ${id}`);
      }),
    );
}

/** Warns if another key already has the label, because a shared label cannot identify a key. */
async function warnOfNamesakes(label: string, id: string, query: Administration["query"]): Promise<void> {
  const answers = await query(LIST);
  if (answers.every(({ error }) => error !== null)) return;
  const namesake = keysOf(answers).find(
    (key) => key.label === label && key.id !== id && key.revoked === null,
  );
  if (namesake === undefined) return;
  const text = `the key ${namesake.id.slice(0, 16)} also has the label ${JSON.stringify(label)}; use ids to tell the keys apart`;
  printNotice(`warning: ${text}`);
}

function addOptions({ label, rules, from, until, rate }: AddFlags): string[] {
  const now = realEnvironment.wallClock();
  const options: string[] = [];

  if (label !== undefined) options.push("LABEL", label);
  if (from !== undefined)
    options.push("FROM", String(parseDate(from, { option: "--from", now, end: false })));
  if (until !== undefined) {
    const end = parseDate(until, { option: "--until", now, end: true });
    if (end <= now) printNotice(`warning: --until ${until} is in the past, so the key is already expired`);
    options.push("UNTIL", String(end));
  }
  if (rate !== undefined) options.push("RATE", String(rate));
  // RULES must be last, because all arguments after it are rules.
  if (rules !== undefined) options.push("RULES", rules);
  return options;
}

function addRules(keys: Command): void {
  const examples = `  dbsync keys rules web '+@read +@write ~app:*' -k root-private.pem
  dbsync keys rules web +@all -@admin '~app:*' -k root-private.pem`;
  subcommand(keys, ["rules <key> <rules...>", "replace the rules of a key"], { examples, failed: NOT_DONE })
    .usage(`<key> [options] <rules...>\n\n<key>: ${KEY_ARGUMENT}`)
    .passThroughOptions()
    .action((text: string, words: string[], _: ClientFlags, command: Command) => {
      const rules = parseOptionsAfterArguments(command, words, "end");
      const flags = command.opts<ClientFlags>();
      return administer(flags, async ({ sendToAll, idOf }) => {
        const id = await idOf(text);
        reportKeyChange(
          flags,
          await sendToAll(["KEY", "RULES", id, ...rules]),
          () => `${id} has the new rules`,
        );
      });
    });
}

function addRevoke(keys: Command): void {
  const examples = `  dbsync keys revoke 3f2ab9c1 -k root-private.pem
  dbsync keys revoke web-public.pem -k root-private.pem`;
  subcommand(keys, ["revoke <key>", "ban a key permanently"], { examples, failed: NOT_DONE })
    .usage(`[options] <key>\n\n<key>: ${KEY_ARGUMENT}`)
    .action((text: string, flags: ClientFlags) =>
      administer(flags, async ({ sendToAll, idOf }) => {
        const id = await idOf(text);
        reportKeyChange(flags, await sendToAll(["KEY", "REVOKE", id]), () => `revoked ${id}`);
      }),
    );
}

function addList(keys: Command): void {
  const examples = `  dbsync keys list -k root-private.pem
  dbsync keys list --json -k root-private.pem`;
  const failed = "a daemon does not answer, or the daemons' lists differ";
  subcommand(keys, ["list", "show all keys, including revoked ones"], { examples, failed }).action(
    (flags: ClientFlags) =>
      administer(flags, async ({ query }) => {
        const answers = await query(LIST);
        const rings = ringsOf(answers);
        const [{ keys }] = rings;
        const differences = differencesOf(rings);
        const differ = differences.length > 0;

        if (flags.json) printJson({ keys, differ, differences, daemons: answers.map(daemonOf) });
        else process.stdout.write(formatKeys(keys));
        if (differ && !flags.json) {
          printLine(
            "\nThe daemons' lists differ. This is the list of the first daemon; for another one use dbsync keys list -s.",
          );
          for (const line of differenceLines(differences)) printLine(line);
        }
        reportSilent(flags, answers);
        if (differ) process.exitCode = EXIT.failed;
      }),
  );
}

function addInfo(keys: Command): void {
  const examples = "  dbsync keys info web -k root-private.pem";
  subcommand(keys, ["info <key>", "show a key in full, with its PEM text"], {
    examples,
    failed: "no daemon knows the key, or a daemon does not answer",
  })
    .usage(`[options] <key>\n\n<key>: ${KEY_ARGUMENT}`)
    .action((text: string, flags: ClientFlags) =>
      administer(flags, async ({ query, idOf }) => {
        const answers = await query(["KEY", "INFO", await idOf(text)]);
        const reply = firstReply(answers);
        const publicKey = String(fieldsOf(reply)["public-key"] ?? "");
        if (flags.json) printJson({ ...readKey(reply), publicKey });
        else process.stdout.write(formatKey(readKey(reply), publicKey));
        reportSilent(flags, answers);
      }),
    );
}

function addDryrun(keys: Command): void {
  const examples = "  dbsync keys dryrun web -k root-private.pem SET app:1 x";
  subcommand(
    keys,
    ["dryrun <key> <command...>", "check whether a key may run a command, without running it"],
    {
      examples,
      failed: "the key may not run it, or a daemon does not answer",
    },
  )
    .usage(
      `<key> [options] <command...>\n\n<key>: ${KEY_ARGUMENT}\nOptions come before the command. Type -- before arguments that look like options. The command may also be\none argument with spaces.`,
    )
    .passThroughOptions()
    .action((text: string, words: string[], _: ClientFlags, command: Command) => {
      const tested = parseOptionsAfterArguments(command, words, "word").flatMap((word, _, { length }) =>
        length === 1 ? word.split(" ").filter((part) => part !== "") : [word],
      );
      const flags = command.opts<ClientFlags>();
      return administer(flags, async ({ query, idOf }) => {
        const answers = await query(["KEY", "DRYRUN", await idOf(text), ...tested]);
        const reply = firstReply(answers);

        const permitted = answers.every(({ error, reply }) => error !== null || reply === "OK");
        if (flags.json)
          printJson({
            permitted,
            daemons: answers.map((answer) => ({ ...daemonOf(answer), reply: answer.reply })),
          });
        else if (answers.every((answer) => answer.reply === reply)) printLine(String(reply));
        else
          for (const answer of answers)
            printLine(`${answer.address}: ${answer.error === null ? answer.reply : describe(answer.error)}`);
        if (!permitted) process.exitCode = EXIT.failed;
      });
    });
}

/** Runs an action as an administrator; errors are printed with a hint. */
function administer(
  flags: ClientFlags,
  act: (administration: Administration) => Promise<void>,
): Promise<void> {
  return explainErrors(flags, async () => {
    const settings = readSettings(flags);
    if (settings.key === null)
      throw new DbsyncError("bad-key", "none is set; specify an administrator's private key (-k)");
    const { client, key } = openFrom(settings);
    const query = (command: readonly string[]) => queryEach(settings, key, command);
    await act({
      settings,
      key,
      query,
      sendToAll: async (command) => (await client.sendAll(command)).outcomes,
      idOf: (text) => idOf(text, async () => keysOf(await query(LIST))),
    });
  });
}

/** Returns all keys that at least one daemon knows, each once. */
function keysOf(answers: readonly Answer[]): RingKey[] {
  const known = new Map<string, RingKey>();
  for (const key of ringsOf(answers).flatMap(({ keys }) => keys))
    if (!known.has(key.id)) known.set(key.id, key);
  return [...known.values()];
}

/** Returns the first reply. @throws  the first error if no daemon answered */
function firstReply(answers: readonly Answer[]): ReplyValue {
  const answered = answers.find(({ error }) => error === null);
  if (answered === undefined) throw answers[0]?.error;
  return answered.reply;
}

function daemonOf({ address, error }: Answer): { address: string; ok: boolean; error: string | null } {
  return { address, ok: error === null, error: error === null ? null : describe(error) };
}

/** Describes the error of one daemon. */
function describe(error: Error): string {
  const outcome = error instanceof DbsyncError && error.code !== "reply" ? error.outcomes[0] : undefined;
  return outcome === undefined ? error.message : describeOutcome(outcome);
}

/** Reports the daemons that did not answer, and sets the exit code. */
function reportSilent(flags: ClientFlags, answers: readonly Answer[]): void {
  for (const { error } of answers) {
    if (error === null) continue;
    if (!flags.json) printNotice(describe(error));
    process.exitCode = EXIT.failed;
  }
}

/** Number of hexadecimal digits of an id in a table, enough to identify the key. */
const SHORT_DIGITS = 16;

/** Formats the keys of a key ring as text. */
function formatKeys(keys: readonly RingKey[]): string {
  const head = ["ID", "LABEL", "ROLE", "KIND", "STATE", "VALID", "RATE", "RULES"];
  const rows = keys.map((key) => [
    key.id.slice(0, SHORT_DIGITS),
    key.label || "-",
    key.role,
    kindOf(key),
    stateOf(key),
    validityOf(key),
    key.rate === 0 ? "-" : `${key.rate}/s`,
    key.rules.join(" "),
  ]);
  return formatHeadedTable([head, ...rows], (row) => (keys[row]?.revoked == null ? "plain" : "bad"));
}

/** Formats one key in full. @param publicKey  PEM text */
export function formatKey(key: RingKey, publicKey: string): string {
  const rows = [
    ["id", key.id],
    ["label", key.label || "-"],
    ["role", key.role],
    ["kind", kindOf(key)],
    ["state", stateOf(key)],
    ["valid", validityOf(key)],
    ["rate", key.rate === 0 ? "no limit" : `${key.rate} envelopes a second`],
    ["rules", key.rules.join(" ")],
    ["added by", key.addedBy ?? "the options of the daemons"],
  ];
  return `${formatTable(rows)}${shownLines(publicKey.trimEnd())}\n`;
}

/** Formats the state of a key, with capitals for revoked keys. */
function stateOf({ state, revoked }: RingKey): string {
  return revoked === null ? state : `REVOKED ${formatDate(revoked)}`;
}

function kindOf({ algorithm, bits }: RingKey): string {
  return algorithm === "rsa" ? `rsa ${bits}` : algorithm;
}

function validityOf({ from, until }: RingKey): string {
  if (from === null) return until === null ? "always" : `to ${formatDate(until)}`;
  return until === null ? `from ${formatDate(from)}` : `${formatDate(from)} to ${formatDate(until)}`;
}

/** The beginning of the error for an envelope that the daemon already has. */
const ALREADY_APPLIED = "answer-not-kept:";

/** Prints the outcome of a change. @throws DbsyncError  no daemon has applied it */
function reportKeyChange(
  flags: { readonly json?: boolean },
  outcomes: readonly Outcome[],
  done: (value: string) => string,
): void {
  const first = outcomes.find(({ status }) => status === "ok");
  // A daemon may have received the envelope from a peer and restarted before the client's copy arrived.
  const isApplied = (outcome: Outcome) =>
    first !== undefined && outcome.status === "failed" && outcome.detail.startsWith(ALREADY_APPLIED);
  const failed = outcomes.filter(
    (outcome): outcome is Extract<Outcome, { status: "failed" }> =>
      outcome.status === "failed" && !isApplied(outcome),
  );
  if (failed.length === outcomes.length) {
    if (!failed.every(({ stage }) => stage === "reply"))
      throw new DbsyncError("all-failed", "", { outcomes });
    const isSame = new Set(failed.map(({ detail }) => detail)).size === 1;
    const details = isSame
      ? failed[0]?.detail
      : failed.map(({ address, detail }) => `${address}: ${detail}`).join("; ");
    throw new DbsyncError("reply", details ?? "", { outcomes });
  }

  const advice = failed.map(({ detail }) => hintFor(detail)).filter((hint) => hint !== null);
  const hints = [...new Set(advice)];
  if (flags.json) printJson({ done: failed.length === 0, outcomes, hints });
  else if (failed.length === 0) {
    const value = first?.status === "ok" ? (first.value ?? "") : "";
    printLine(`${done(value)}${outcomes.length > 1 ? `, on all ${outcomes.length} daemons` : ""}`);
  } else {
    for (const outcome of outcomes) printLine(outcomeLine(outcome));
    const denied = failed.filter(({ stage }) => stage === "reply").map(({ address }) => address);
    printLine(
      denied.length === 0
        ? "Not all daemons made the change. Repeat the command: daemons that have already made the change ignore it."
        : `Not all daemons made the change: ${denied.join(", ")} refused it, and would refuse it again. dbsync keys list shows the differences.`,
    );
    for (const hint of hints) printLine(`What to do: ${hint}.`);
  }
  if (failed.length > 0) process.exitCode = EXIT.failed;
}

interface KeyDifference {
  readonly id: string;
  readonly label: string;
  /** Addresses of the daemons that do not know the key. */
  readonly missingOn: readonly string[];
  /** The fields that differ between the remaining daemons, with their values; empty if no field differs. */
  readonly held: readonly { readonly address: string; readonly differing: Partial<RingKey> }[];
}

/** Returns the keys that some daemons do not know, or that have different fields on different daemons. */
export function differencesOf(rings: readonly DaemonRing[]): KeyDifference[] {
  const ids = new Set(rings.flatMap(({ keys }) => keys.map(({ id }) => id)));
  return [...ids].flatMap((id) => {
    const records = rings.map(({ address, keys }) => ({ address, key: keys.find((key) => key.id === id) }));
    const holders = records.flatMap(({ address, key }) => (key === undefined ? [] : [{ address, key }]));
    const missingOn = records.filter(({ key }) => key === undefined).map(({ address }) => address);
    const names = differingNames(holders.map(({ key }) => key));
    if (missingOn.length === 0 && names.length === 0) return [];
    const held =
      names.length === 0
        ? []
        : holders.map(({ address, key }) => ({ address, differing: pickFields(key, names) }));
    return [{ id, label: holders[0]?.key.label ?? "", missingOn, held }];
  });
}

/** Formats differences as lines for a terminal. */
export function differenceLines(differences: readonly KeyDifference[]): string[] {
  return differences.flatMap(({ id, label, missingOn, held }) => {
    const key = `${id.slice(0, 16)}${label === "" ? "" : ` (${label})`}`;
    const lines = missingOn.length === 0 ? [] : [`${key}: unknown to ${missingOn.join(", ")}`];
    for (const { address, differing } of held) {
      const fields = Object.entries(differing).map(([name, value]) => `${name} ${shown(value)}`);
      lines.push(`${key}: on ${address} ${fields.join(", ")}`);
    }
    return lines;
  });
}

function differingNames([first, ...remaining]: readonly RingKey[]): (keyof RingKey)[] {
  if (first === undefined) return [];
  const text = (key: RingKey, name: keyof RingKey) => JSON.stringify(key[name]);
  return (Object.keys(first) as (keyof RingKey)[]).filter((name) =>
    remaining.some((other) => text(other, name) !== text(first, name)),
  );
}

function pickFields(key: RingKey, names: readonly (keyof RingKey)[]): Partial<RingKey> {
  return Object.fromEntries(names.map((name) => [name, key[name]]));
}

function shown(value: unknown): string {
  return Array.isArray(value) ? value.join(" ") : String(value ?? "none");
}
