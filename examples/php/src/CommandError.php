<?php
declare(strict_types=1);

namespace Dbsync;

/** The database's own error, such as "WRONGTYPE …"; of one command among several it stands in the place of its reply. */
final class CommandError extends Failure
{
    /** Its text alone, without the daemons' names. */
    public string $reply = '';

    public static function of(string $reply, string $message = ''): self
    {
        $error = new self($message === '' ? $reply : $message);
        $error->reply = $reply;
        return $error;
    }
}
