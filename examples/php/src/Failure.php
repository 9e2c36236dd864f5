<?php
declare(strict_types=1);

namespace Dbsync;

/**
 * A call without an answer, or a command that could not be sent. The message states the failure, the daemon and the
 * remedy.
 */
class Failure extends \RuntimeException
{
    /**
     * The number of daemons that have answered. If it is 0, it is unknown whether any daemon has executed the
     * command.
     */
    public int $answered = 0;
}
