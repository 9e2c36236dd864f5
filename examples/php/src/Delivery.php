<?php
declare(strict_types=1);

namespace Dbsync;

/** A command on its way to one daemon. Settled when `failure` is set or `answered` is true. */
final class Delivery
{
    public Command $command;
    /** By hrtime, in seconds. */
    public float $deadline;
    public bool $answered = false;
    /** @var mixed what version 2 answered: a string, an integer, null, or an array of these */
    public $reply = null;
    /** Version 1's answer, "redis:5:PONG"; null: no value, or version 2. */
    public ?string $chunk = null;
    /** Whether a later unit had been answered before: it is no agreement. */
    public bool $isLate = false;
    /** Stage and sentence. */
    public ?string $failure = null;
    /** The failure, if it is the database's. */
    public ?CommandError $error = null;
    /** Whether some bytes of the command were written, so that the daemon may execute it. */
    public bool $begun = false;
    /** Whether the daemon refused the command for its date alone. */
    public bool $misdated = false;

    public function __construct(Command $command, float $deadline)
    {
        $this->command = $command;
        $this->deadline = $deadline;
    }

    public function settled(): bool
    {
        return $this->answered || $this->failure !== null;
    }

    /** Stage and sentence for the error of a call that failed. */
    public function outcome(): string
    {
        if ($this->settled()) {
            return $this->failure ?? ($this->isLate ? 'answered late' : 'answered');
        }
        return 'not-awaited: the call had failed before it answered; '
            . ($this->begun ? 'whether the command was executed is unknown' : 'it may be sent yet');
    }

    public function isMiss(): bool
    {
        return $this->chunk === null && ($this->reply === null || $this->reply === []);
    }

    /** @return mixed  the reply with its type, which version 1 does not tell: a string there */
    public function value()
    {
        return $this->chunk === null ? $this->reply : $this->text();
    }

    public function text(): ?string
    {
        if ($this->isMiss()) {
            return null;
        }
        return $this->chunk === null ? Resp::text($this->reply) : explode(':', $this->chunk, 3)[2];
    }

    /** As the extension gives it: "redis:5:PONG". */
    public function withName(): ?string
    {
        $text = $this->chunk === null ? $this->text() : null;
        return $text === null ? $this->chunk : 'redis:' . (strlen($text) + 1) . ":$text";
    }
}
