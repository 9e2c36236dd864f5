/** `dbsync profile`: stores servers with their pins, and the path of a key, under a name. */
import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { defaultSources } from "../../client/settings/default-options.js";
import { DbsyncError } from "../../client/shared/errors.js";
import { readVersions, VERSIONS_ALLOWED } from "../../client/shared/server-list.js";
import { formatHeadedTable } from "../../daemon/net/terminal/text-table.js";
import { exitCodeHelp } from "./shared/exit-codes.js";
import { JSON_FLAG, printJson, printLine } from "./shared/output.js";
import {
  checkProfile,
  isProfileName,
  NAME_FORM,
  type Profile,
  profileNamed,
  profilesFile,
  readProfiles,
  writeProfiles,
} from "./shared/profiles.js";

const EXIT_HELP = exitCodeHelp("the profile could not be stored");

export function addProfile(program: Command): void {
  const profile = program
    .command("profile")
    .description("store servers, their pins and a key under a name: add, use, list, remove")
    .addHelpText(
      "after",
      `
To use a profile once, add --profile NAME or set DBSYNC_PROFILE=NAME. To use it for all dbsync commands of this user, run
dbsync profile use NAME. The options -s and -k, DBSYNC_SERVERS and a dbsync.ini in the current folder take precedence over
dbsync profile use. Daemons, and programs that use the library, do not read profiles. If a profile is used, status, doctor and
all errors name it. Without a terminal, as in a script, a line on standard error also names it.

Profiles are stored in profiles.json in ~/.config/dbsync (XDG_CONFIG_HOME), mode 600: the name of the current profile, and for
each profile its servers and the paths of its key and authorities. The file contains no secrets; the key stays in its own file.

Examples:
  dbsync profile add prod -s db1:1111,db2:1111,db3:1111 -k ~/keys/private.pem
  dbsync profile use prod
  dbsync status --profile staging
  dbsync profile list
${EXIT_HELP}`,
    );
  addAdd(profile);
  addUse(profile);
  addList(profile);
  addRemove(profile);
}

type AddFlags = Partial<Record<keyof Profile, string>> & {
  readonly servers: string;
  readonly force?: boolean;
};

function addAdd(profile: Command): void {
  profile
    .command("add")
    .description("store a profile")
    .argument("<name>", "its name", readName)
    .requiredOption(
      "-s, --servers <list>",
      "daemons as host:port,host:port, with dbsyncs:// and pins for TLS",
    )
    .option("-k, --key <file>", "private key that signs (default: none, commands are unsigned)")
    .option("--ca <file>", "authorities that may sign the certificates of servers with TLS")
    .option("--cluster <hex>", "id of the cluster (default: ask the daemons)")
    .addOption(
      new Option("--versions <list>", `versions of the protocol: ${VERSIONS_ALLOWED}`).argParser((text) => {
        if (readVersions(text) === null) throw new InvalidArgumentError(`Allowed: ${VERSIONS_ALLOWED}.`);
        return text;
      }),
    )
    .option("--force", "replace an existing profile of that name")
    .addHelpText(
      "after",
      `
Files are stored as absolute paths, and read when the profile is used.

Examples:
  dbsync profile add prod -s db1:1111,db2:1111 -k private.pem
  dbsync profile add edge -s dbsyncs://edge:1111#sha256/… -k private.pem --force
${EXIT_HELP}`,
    )
    .action((name: string, flags: AddFlags) => {
      const folders = defaultSources();
      const known = readProfiles(folders);
      if (known.profiles.has(name) && flags.force !== true)
        throw new DbsyncError("bad-option", `the profile ${name} already exists: --force replaces it`);
      const pathOf = (file: string | undefined) => (file === undefined || file === "" ? "" : resolve(file));
      const { servers, key, ca, cluster = "", versions = "" } = flags;
      const added: Profile = { servers, key: pathOf(key), ca: pathOf(ca), cluster, versions };
      checkProfile(added, name);
      writeProfiles(folders, { ...known, profiles: new Map([...known.profiles, [name, added]]) });
      printLine(`profile ${name} stored in ${profilesFile(folders)}`);
      if (known.current !== name)
        printLine(`Use it: --profile ${name}, or always: dbsync profile use ${name}`);
    });
}

function addUse(profile: Command): void {
  profile
    .command("use")
    .description("select the profile for commands that name no servers")
    .argument("[name]", "its name")
    .option("--none", "select no profile")
    .addHelpText(
      "after",
      `
Without a name it prints the current profile.

Examples:
  dbsync profile use prod
  dbsync profile use --none
${EXIT_HELP}`,
    )
    .action((name: string | undefined, { none }: { readonly none?: boolean }) => {
      const folders = defaultSources();
      const known = readProfiles(folders);
      if (none === true && name !== undefined)
        throw new DbsyncError("bad-option", "a name and --none cannot be used together");
      if (none !== true && name === undefined) return printLine(known.current ?? "(none)");
      if (name !== undefined) profileNamed(name, known);
      writeProfiles(folders, { ...known, current: name ?? null });
      if (name === undefined) return printLine("no profile is used");
      const overriding = ["DBSYNC_SERVERS", "DBSYNC_PROFILE"].find(
        (each) => (process.env[each] ?? "") !== "",
      );
      printLine(
        `profile ${name} is used${overriding === undefined ? "" : `, except where ${overriding} is set, as it is here`}`,
      );
    });
}

function addList(profile: Command): void {
  profile
    .command("list")
    .description("list the profiles; * marks the current one")
    .option(JSON_FLAG, 'print JSON: {"file": …, "current": … or null, "profiles": {…}}')
    .addHelpText("after", `\nExamples:\n  dbsync profile list\n  dbsync profile list --json\n${EXIT_HELP}`)
    .action(({ json }: { readonly json?: boolean }) => {
      const folders = defaultSources();
      const { current, profiles } = readProfiles(folders);
      if (json === true)
        return printJson({ file: profilesFile(folders), current, profiles: Object.fromEntries(profiles) });
      if (profiles.size === 0)
        return printLine("There are no profiles. Add one: dbsync profile add NAME -s …");

      const rows = [...profiles].map(([name, { servers, key }]) => [
        `${name === current ? "* " : "  "}${name}`,
        servers,
        key === "" ? "(none)" : key,
      ]);
      process.stdout.write(formatHeadedTable([["  PROFILE", "SERVERS", "KEY"], ...rows]));
    });
}

function addRemove(profile: Command): void {
  profile
    .command("remove")
    .description("remove a profile; its key file stays")
    .argument("<name>", "its name")
    .addHelpText("after", `\nExamples:\n  dbsync profile remove staging\n${EXIT_HELP}`)
    .action((name: string) => {
      const folders = defaultSources();
      const known = readProfiles(folders);
      profileNamed(name, known);
      const isCurrent = known.current === name;
      const profiles = new Map([...known.profiles].filter(([each]) => each !== name));
      writeProfiles(folders, { current: isCurrent ? null : known.current, profiles });
      printLine(`profile ${name} removed${isCurrent ? "; no profile is used now" : ""}`);
    });
}

function readName(text: string): string {
  if (!isProfileName(text)) throw new InvalidArgumentError(`A name consists of ${NAME_FORM}.`);
  return text;
}
