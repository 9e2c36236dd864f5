<?php
/*
 * dbsync for PHP 7.4 and later: dbsync_send() and dbsync_reset() as in php-dbsync's extension, dbsync_last_error(),
 * and dbsync_call() and dbsync_multi(), which return typed replies. Requires only ext-openssl, for signing and TLS.
 * With a key, commands are sent only as version 2. Daemons that support only version 1, such as php-dbsync's, require
 * the setting dbsync.versions. Without a key, commands are sent unsigned, in the version that each daemon supports.
 * Settings are read once from the environment or php.ini, and again after dbsync_reset(): see class Dbsync\Settings.
 * Source: docs/php.md, docs/protocol.md "Version 1", docs/protocol-v2.md; differences from the extension:
 * docs/compatibility.md.
 */
declare(strict_types=1);

/** The functions are not defined again if the extension or the file dbsync.php is already loaded. */
if (!function_exists('dbsync_send')) {
    /**
     * Signs a command once, sends it to all daemons in parallel, and returns the first successful answer within 3 s.
     * @param string|array      $command  one line, which the daemon splits at spaces without quoting; or a list of arguments
     *                                    (strings, integers), which may have any content with version 2
     * @param array|string|null $options  an array of options, see Dbsync\Settings; or a string that replaces the servers
     * @return string|null  null if there is no value or no answer; without an answer, dbsync_last_error() returns the reason
     */
    function dbsync_send($command, $options = null): ?string
    {
        return \Dbsync\Shared::send($command, $options);
    }

    /** Closes all connections. The next call reads the settings and the key again. */
    function dbsync_reset(): void
    {
        \Dbsync\Shared::client()->reset();
        \Dbsync\Shared::$error = null;
    }

    /**
     * Returns why the last dbsync_send() had no answer, with the address and the stage of every daemon, or null if
     * dbsync_send() had an answer.
     */
    function dbsync_last_error(): ?string
    {
        return \Dbsync\Shared::$error;
    }

    /**
     * Does the same as dbsync_send(), but returns typed replies: strings, integers, arrays and null. Throws errors
     * instead of using dbsync_last_error().
     * @param string|array      $command
     * @param string|array|null $options
     * @return string|int|array|null
     * @throws \Dbsync\CommandError  an error of the database
     * @throws \Dbsync\Failure       if there is no answer
     */
    function dbsync_call($command, $options = null)
    {
        return \Dbsync\Shared::client()->call($command, $options);
    }

    /**
     * Sends several commands as one unit, see Dbsync\Client::multi().
     * @param string|array|null $options
     * @return array  the reply to each command; for a failed command a Dbsync\CommandError
     * @throws \Dbsync\Failure
     */
    function dbsync_multi(array $commands, $options = null): array
    {
        return \Dbsync\Shared::client()->multi($commands, $options);
    }
}
