/** The form of the packages of a release. all-packages.ts lists them. */

/** The files from which packages are made. */
export interface Sources {
  /** The folder of the repository, or a clean copy of it, which is built. */
  readonly folder: string;
  /** The version in package.json: the only place from which packages take it. */
  readonly version: string;
  /** The file that `npm pack` made in this folder. */
  readonly packed: string;
  /** The folder into which packages are written. */
  readonly output: string;
}

/** A running daemon, and a key that it accepts. */
export interface ReachableDaemon {
  /** `host:port` */
  readonly servers: string;
  /** The path of the private key. */
  readonly key: string;
}

export interface ReleasePackage {
  readonly name: string;
  /** The programs and Debian packages (test/support/requirements.ts) that it is made and tried with. */
  readonly needs: readonly string[];
  /** Returns why this machine cannot try it although it has these programs, or false. */
  readonly cannotTry?: () => string | false;
  /** Makes the package. @returns the path of the file */
  make(sources: Sources): Promise<string>;
  /** Installs the file into an empty folder, as a user does. */
  install(file: string, folder: string, sources: Sources): Promise<void>;
  /**
   * Sends `INCR visits` by what was installed: to a daemon that the package contains, or else to the given one, which
   * no other package has counted on.
   * @returns the printed reply, which is 1
   */
  contact(folder: string, daemon: ReachableDaemon): Promise<string>;
  /** Returns the lines that a person types to publish the file. */
  publish(file: string, sources: Sources): readonly string[];
}
