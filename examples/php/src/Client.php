<?php
declare(strict_types=1);

namespace Dbsync;

/**
 * Signs a command once, sends it to every daemon at once, and gives the first good answer. Holds connections, and the one loop
 * that drives them; slower daemons get their commands during later calls, and in a last moment when the script ends.
 */
final class Client
{
    /** After the first "no value" others may still have one. */
    private const MISS_LINGER_SECONDS = 0.05;
    /** When the script ends, daemons that were slower than the first still get their commands. */
    private const LAST_DELIVERY_SECONDS = 0.2;
    private const MAX_COMMAND_BYTES = 64 * 1024 * 1024;
    private const MAX_COMMANDS = 4096;

    private array $options;
    private ?array $found = null;
    /** @var Daemon[] by all that their connections depend on */
    private array $daemons = [];
    /** @var Key[] by file */
    private array $keys = [];
    /** @var Cluster[] by the option */
    private array $clusters = [];
    private int $process = 0;
    /** Whether all that is owed has had its last moment. */
    private bool $isFinished = true;

    /**
     * @param array|string|null $options  of all calls, see Settings; a text: the servers
     * @throws Failure
     */
    public function __construct($options = null)
    {
        $this->options = Settings::given($options);
    }

    public function __destruct()
    {
        if (!$this->isFinished) {
            $this->finish();
        }
    }

    /**
     * @param string|array      $command  a line, cut at blanks, no quoting; or a list of strings and integers, whatever they hold
     * @param array|string|null $options  of this call, see Settings
     * @return string|null  as text, a list with line feeds between its elements; null: no value
     * @throws Failure
     */
    public function send($command, $options = null): ?string
    {
        $settings = $this->settings($options);
        $answer = $this->answer(self::checked($command), false, $settings);
        return $settings->isText ? $answer->text() : $answer->withName();
    }

    /**
     * @param string|array      $command  as for send
     * @param array|string|null $options
     * @return string|int|array|null  the reply with its type, if the daemon speaks version 2; else its text
     * @throws CommandError  the database's own error
     * @throws Failure       no answer
     */
    public function call($command, $options = null)
    {
        return $this->answer(self::checked($command), false, $this->settings($options))->value();
    }

    /**
     * Several commands as one unit, signed together: nothing comes between them, and either all are applied or none. One
     * that fails, as in Redis, does not undo the others. Version 2 alone.
     * @param array[]|string[]  $commands
     * @param array|string|null $options
     * @return array  a reply for each, a CommandError in the place of one that failed
     * @throws CommandError  none was applied
     * @throws Failure       no answer
     */
    public function multi(array $commands, $options = null): array
    {
        if ($commands === [] || count($commands) > self::MAX_COMMANDS) {
            throw new Failure('multi takes 1 to ' . self::MAX_COMMANDS . ' commands');
        }
        $checked = array_map([self::class, 'checked'], array_values($commands));
        $reply = $this->answer($checked, true, $this->settings($options))->value();
        if (!is_array($reply) || count($reply) !== count($checked)) {
            throw new Failure('the answer does not hold a reply for each command');
        }
        return $reply;
    }

    /** @return string[]  addresses of the daemons, in the order of the list */
    public function servers(): array
    {
        $servers = $this->settings(null)->servers;
        return array_map(static fn (Server $each): string => $each->address . $each->fragment(), array_values($servers));
    }

    /** Closes all connections; settings and keys are read again by the next call. */
    public function reset(): void
    {
        $this->leaveOtherProcess();
        $this->finish();
        foreach ($this->daemons as $daemon) {
            $daemon->close();
        }
        $this->daemons = $this->keys = $this->clusters = [];
        $this->found = null;
    }

    /** Waits up to 0.2 s for daemons that owe an answer: the original drops commands of a client that has left. */
    public function finish(): void
    {
        $end = self::now() + self::LAST_DELIVERY_SECONDS;
        $this->tellLeaving(true);
        while ($this->process === getmypid() && self::now() < $end && $this->pump($end)) {
            continue;
        }
        $this->tellLeaving(false);
        $this->isFinished = true;
    }

    private function tellLeaving(bool $leaving): void
    {
        foreach ($this->daemons as $daemon) {
            $daemon->leaving = $leaving;
        }
    }

    /**
     * @param string|array $command  checked
     * @throws Failure
     */
    private function answer($command, bool $isMulti, Settings $settings): Delivery
    {
        $this->leaveOtherProcess();
        $this->isFinished = false;
        $daemons = $this->daemonsOf($settings);
        $end = self::now() + $settings->timeout;
        $deliveries = $this->deliver($daemons, $command, $isMulti, $settings, $end);
        $missed = $dated = false;
        while (true) {
            $chosen = $settings->policy->choose($deliveries, $missed && self::now() >= $end);
            if ($chosen !== null && $chosen->error === null) {
                return $chosen;
            }
            $isOpen = $chosen === null && Policy::open($deliveries) > 0;
            if (!$missed && $settings->policy->isFirst() && array_filter(array_column($deliveries, 'answered')) !== []) {
                $missed = true;
                $end = min($end, self::now() + self::MISS_LINGER_SECONDS);
            }
            if (!$isOpen && !$dated && self::wereMisdated($deliveries)) {
                $deliveries = $this->deliver($daemons, $command, $isMulti, $settings, $end);
                $dated = true;
            } elseif (!$isOpen) {
                throw self::failure($deliveries, $settings->policy, $chosen);
            }
            $this->pump($end);
        }
    }

    /**
     * @param Daemon[]     $daemons  by address
     * @param string|array $given
     * @return Delivery[] by address
     */
    private function deliver(array $daemons, $given, bool $isMulti, Settings $settings, float $end): array
    {
        $key = $this->key($settings);
        $command = new Command($given, $isMulti, $key, $this->cluster($settings), $settings->db);
        $deliveries = [];
        foreach (array_keys($settings->servers) as $address) {
            $delivery = $deliveries[$address] = new Delivery($command, $end);
            $daemon = $daemons[$address];
            $daemon->keepAlive = $settings->keepAlive;
            $daemon->probe();
            $daemon->deliver($delivery);
        }
        return $deliveries;
    }

    /** Whether a new envelope is worth it, and safe: a clock was wrong, and nobody may execute the old one. */
    private static function wereMisdated(array $deliveries): bool
    {
        $begun = array_filter($deliveries, static fn (Delivery $each): bool => $each->begun);
        return $begun === [] && array_filter(array_column($deliveries, 'misdated')) !== [];
    }

    /**
     * One turn: everything that is due now, or the first thing that happens before `$end`.
     * @return bool  whether a delivery is still open
     */
    private function pump(float $end): bool
    {
        $read = $write = $none = [];
        $open = false;
        foreach ($this->daemons as $place => $daemon) {
            $daemon->tick(self::now());
            if ($daemon->isDecoding()) {
                $daemon->decode();
                $end = self::now();
            }
            $open = $open || !$daemon->isIdle();
            $end = min($end, $daemon->nextDeadline() ?? $end);
            $read[$place] = $daemon->toRead();
            $write[$place] = $daemon->toWrite();
        }
        $read = array_filter($read);
        $write = array_filter($write);
        if (!$open || ($read === [] && $write === [])) {
            return $open;
        }
        $wait = max(0, (int) ceil(($end - self::now()) * 1e6));
        if (@stream_select($read, $write, $none, intdiv($wait, 1000000), $wait % 1000000) === false) {
            usleep(1000);
            return $open;
        }
        foreach ($write as $place => $stream) {
            $this->daemons[$place]->onWritable();
        }
        foreach ($read as $place => $stream) {
            // A failed write closes the stream.
            if ($this->daemons[$place]->toRead() === $stream) {
                $this->daemons[$place]->onReadable();
            }
        }
        return $open;
    }

    /**
     * @param Delivery[]    $deliveries  by address; the policy is not content with them
     * @param Delivery|null $chosen      or whose error it is
     */
    private static function failure(array $deliveries, Policy $policy, ?Delivery $chosen): Failure
    {
        $answered = $late = 0;
        $error = $chosen === null ? null : $chosen->error;
        $lines = [];
        foreach ($deliveries as $address => $delivery) {
            $answered += $delivery->answered ? 1 : 0;
            $late += $delivery->isLate ? 1 : 0;
            $lines[] = "\n  $address: " . $delivery->outcome();
        }
        $count = count($deliveries);
        $text = $answered === 0 ? 'No daemon answered:' : "$answered of $count daemons answered"
            . ($late > 0 ? ", $late of them behind a later command on the same keys" : '')
            . ', which is not enough for the policy ' . $policy->text();
        $error = $error ?? ($answered === 0 ? array_values(array_filter(array_column($deliveries, 'error')))[0] ?? null : null);
        $text = ($error === null ? $text : $error->reply) . implode('', $lines);
        $failure = $error === null ? new Failure($text) : CommandError::of($error->reply, $text);
        $failure->answered = $answered;
        return $failure;
    }

    /**
     * @param mixed $command
     * @return string|string[]
     * @throws Failure  it cannot be sent
     */
    private static function checked($command)
    {
        if (is_array($command)) {
            $command = array_map(static fn ($each) => is_int($each) ? (string) $each : $each, array_values($command));
        }
        $texts = is_array($command) ? $command : [$command];
        foreach ($texts as $place => $each) {
            if (!is_string($each)) {
                $type = gettype($each);
                throw new Failure("a command is a string, or a list of strings and integers; argument $place is of the type $type");
            }
        }
        if (trim($texts[0] ?? '', ' ') === '') {
            throw new Failure('the command is empty');
        }
        if (is_string($command) && strpos($command, "\0") !== false) {
            throw new Failure('a command cannot hold a NUL byte, unless it is given as a list of arguments');
        }
        if (array_sum(array_map('strlen', $texts)) > self::MAX_COMMAND_BYTES) {
            throw new Failure('the command is longer than ' . self::MAX_COMMAND_BYTES . ' bytes');
        }
        return $command;
    }

    /** @param array|string|null $options */
    private function settings($options): Settings
    {
        $this->found = $this->found ?? Settings::found();
        return new Settings(Settings::given($options) + $this->options + $this->found);
    }

    private function key(Settings $settings): ?Key
    {
        $file = $settings->signkey;
        return $file === '' ? null : $this->keys[$file] = $this->keys[$file] ?? new Key($file);
    }

    private function cluster(Settings $settings): Cluster
    {
        $id = $settings->signkey === '' ? bin2hex(Cluster::NO_KEY) : $settings->cluster;
        return $this->clusters[$id] = $this->clusters[$id] ?? new Cluster((string) hex2bin($id));
    }

    /**
     * The daemons of a call, each with the connection it has; idle ones that the call does not name are let go.
     * @return Daemon[] by address
     */
    private function daemonsOf(Settings $settings): array
    {
        $isSigned = $settings->signkey !== '';
        $named = $places = [];
        foreach ($settings->servers as $address => $server) {
            // What is not signed at all may go out as each daemon can.
            $versions = $server->versions ?: $settings->versions ?: ($isSigned ? '2' : '1,2');
            $place = implode(' ', [$address, $versions, $isSigned ? 'signed' : 'unsigned', $settings->cluster, $settings->ca, $server->fragment()]);
            $places[$place] = $named[$address] = $this->daemons[$place] ?? new Daemon($server, $settings->ca, $versions);
        }
        foreach ($this->daemons as $place => $daemon) {
            $daemon->tick(self::now());
            if (!isset($places[$place]) && $daemon->isIdle() && $daemon->isClosed()) {
                unset($this->daemons[$place]);
            }
        }
        // Names last: connections to the others are on their way while PHP waits for the resolver.
        $names = array_filter($places + $this->daemons, static fn (Daemon $daemon): bool => $daemon->isName());
        $this->daemons = array_diff_key($places + $this->daemons, $names) + $names;
        return $named;
    }

    /** A forked child must not touch its parent's connections. */
    private function leaveOtherProcess(): void
    {
        if ($this->process !== getmypid()) {
            if ($this->process === 0) {
                // By the time of PHP's own clearing away, the objects that are needed may be gone.
                $client = \WeakReference::create($this);
                register_shutdown_function(static function () use ($client): void {
                    if ($client->get() !== null) {
                        $client->get()->finish();
                    }
                });
            }
            $this->process = getmypid();
            $this->daemons = [];
        }
    }

    private static function now(): float
    {
        return hrtime(true) / 1e9;
    }
}
