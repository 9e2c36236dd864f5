<?php
declare(strict_types=1);

namespace Dbsync;

/**
 * An error of the database, for example "WRONGTYPE …". Client::multi() returns it in place of the reply to a command
 * that failed.
 */
final class CommandError extends Failure
{
    /** The text of the error, without the names of the daemons. */
    public string $reply = '';

    public static function of(string $reply, string $message = ''): self
    {
        $error = new self($message === '' ? $reply : $message);
        $error->reply = $reply;
        return $error;
    }
}
