<?php
declare(strict_types=1);

namespace Dbsync;

/** A command in flight to one daemon. It is settled when `failure` is set or `answered` is true. */
final class Delivery
{
    public Command $command;
    /** The deadline in seconds, on the clock of hrtime(). */
    public float $deadline;
    public bool $answered = false;
    /** @var mixed the answer of version 2: a string, an integer, null, or an array of these */
    public $reply = null;
    /** The answer of version 1, for example "redis:5:PONG", or null for no value or version 2. */
    public ?string $chunk = null;
    /** Whether the daemon received the command after a later one. A late answer does not count as an agreement. */
    public bool $isLate = false;
    /** The stage and the sentence of the failure. */
    public ?string $failure = null;
    /** The failure, if it is an error of the database. */
    public ?CommandError $error = null;
    /** Whether bytes of the command were written. The daemon may then execute it. */
    public bool $begun = false;
    /** Whether the daemon refused the command only because of its date. */
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

    /** Returns the stage and the sentence for the error of a failed call. */
    public function outcome(): string
    {
        if ($this->settled()) {
            return $this->failure ?? ($this->isLate ? 'answered late' : 'answered');
        }
        return 'not-awaited: the call had failed before it answered; '
            . ($this->begun ? 'whether the command was executed is unknown' : 'it may still be sent');
    }

    public function isMiss(): bool
    {
        return $this->chunk === null && ($this->reply === null || $this->reply === []);
    }

    /** @return mixed  the reply with its type; version 1 has no types, so it is a string there */
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

    /** Returns the reply in the form of the extension: "redis:5:PONG". */
    public function withName(): ?string
    {
        $text = $this->chunk === null ? $this->text() : null;
        return $text === null ? $this->chunk : 'redis:' . (strlen($text) + 1) . ":$text";
    }
}
