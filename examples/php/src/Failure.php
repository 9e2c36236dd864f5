<?php
declare(strict_types=1);

namespace Dbsync;

/** No answer, or nothing that could be sent: what failed, at which daemon, and what to do about it. */
class Failure extends \RuntimeException
{
    /** How many daemons have answered all the same; 0: it is not known that any has executed the command. */
    public int $answered = 0;
}
