<?php
/*
 * dbsync for PHP 7.4 and later: dbsync_send() and dbsync_reset() as php-dbsync's extension has them, dbsync_last_error(),
 * and dbsync_call() and dbsync_multi(), which give typed replies. Needs ext-openssl for signing and TLS, nothing else.
 * With a key commands go out as version 2 alone; daemons that know no other, as php-dbsync's own, need dbsync.versions. Without
 * one they go out unsigned, as each daemon can.
 * Settings come from the environment or php.ini, and are read once, until dbsync_reset(): class Dbsync\Settings.
 * Source: docs/php.md, docs/protocol.md "Version 1", docs/protocol-v2.md; differences from the extension: docs/compatibility.md.
 */
declare(strict_types=1);

/** Nothing, where the extension, or the file dbsync.php, is loaded already. */
if (!function_exists('dbsync_send')) {
    /**
     * Signs a command once, sends it to every daemon at once, returns the first good answer, within 3 s.
     * @param string|array      $command  one line, cut at blanks by the daemon, no quoting; or a list of arguments (strings,
     *                                    integers), which version 2 carries whatever they hold
     * @param string|array|null $options  servers, instead of the configured ones; or an array of options, see Dbsync\Settings
     * @return string|null  null: no value, or nobody answered; then dbsync_last_error() says why
     */
    function dbsync_send($command, $options = null): ?string
    {
        return \Dbsync\Shared::send($command, $options);
    }

    /** Closes all connections; settings and key are read again by the next call. */
    function dbsync_reset(): void
    {
        \Dbsync\Shared::client()->reset();
        \Dbsync\Shared::$error = null;
    }

    /** Why the last dbsync_send() had no answer, with address and stage of every daemon; null: it had one. */
    function dbsync_last_error(): ?string
    {
        return \Dbsync\Shared::$error;
    }

    /**
     * The same as dbsync_send(), with the reply's type: strings, integers, arrays, null. Throws instead of dbsync_last_error().
     * @param string|array      $command
     * @param string|array|null $options
     * @return string|int|array|null
     * @throws \Dbsync\CommandError  the database's own error
     * @throws \Dbsync\Failure       no answer
     */
    function dbsync_call($command, $options = null)
    {
        return \Dbsync\Shared::client()->call($command, $options);
    }

    /**
     * Several commands as one unit, see Dbsync\Client::multi().
     * @param string|array|null $options
     * @return array  a reply for each, a Dbsync\CommandError in the place of one that failed
     * @throws \Dbsync\Failure
     */
    function dbsync_multi(array $commands, $options = null): array
    {
        return \Dbsync\Shared::client()->multi($commands, $options);
    }
}
