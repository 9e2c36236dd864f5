<?php
declare(strict_types=1);

namespace Dbsync;

/**
 * Signs a command once, sends it to all daemons in parallel, and returns the first successful answer. It keeps the
 * connections open, and runs the event loop that serves them. Slower daemons receive their commands during later
 * calls, or shortly before the script ends.
 */
final class Client
{
    /** The time for which other daemons may still return a value after the first "no value". */
    private const MISS_LINGER_SECONDS = 0.05;
    /** The time at the end of a script in which slower daemons still receive their commands. */
    private const LAST_DELIVERY_SECONDS = 0.2;
    private const MAX_COMMAND_BYTES = 64 * 1024 * 1024;
    private const MAX_COMMANDS = 4096;

    private array $options;
    private ?array $found = null;
    /** @var Daemon[] the daemons, by all settings on which their connections depend */
    private array $daemons = [];
    /** @var Key[] the keys by their files */
    private array $keys = [];
    /** @var Cluster[] the clusters by the value of the option `cluster` */
    private array $clusters = [];
    private int $process = 0;
    /** Whether the wait for pending commands at the end of the script is over. */
    private bool $isFinished = true;

    /**
     * @param array|string|null $options  the options of all calls, see Settings; a string lists the servers
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
     * @param string|array      $command  a line, which is split at spaces without quoting; or a list of strings and integers
     *                                    with any content
     * @param array|string|null $options  the options of this call, see Settings
     * @return string|null  the reply as text, with the elements of a list separated by line feeds, or null if there is no value
     * @throws Failure
     */
    public function send($command, $options = null): ?string
    {
        $settings = $this->settings($options);
        $answer = $this->answer(self::checked($command), false, $settings);
        return $settings->isText ? $answer->text() : $answer->withName();
    }

    /**
     * @param string|array      $command  see send()
     * @param array|string|null $options
     * @return string|int|array|null  the reply with its type if the daemon uses version 2, otherwise its text
     * @throws CommandError  an error of the database
     * @throws Failure       if there is no answer
     */
    public function call($command, $options = null)
    {
        return $this->answer(self::checked($command), false, $this->settings($options))->value();
    }

    /**
     * Sends several commands as one unit with one signature. No other command is applied between them, and either all
     * of them are applied or none. As in Redis, a command that fails does not undo the rest. Requires version 2.
     * @param array[]|string[]  $commands
     * @param array|string|null $options
     * @return array  the reply to each command; for a failed command a CommandError
     * @throws CommandError  if none of the commands was applied
     * @throws Failure       if there is no answer
     */
    public function multi(array $commands, $options = null): array
    {
        if ($commands === [] || count($commands) > self::MAX_COMMANDS) {
            throw new Failure('multi takes 1 to ' . self::MAX_COMMANDS . ' commands');
        }
        $checked = array_map([self::class, 'checked'], array_values($commands));
        $reply = $this->answer($checked, true, $this->settings($options))->value();
        if (!is_array($reply) || count($reply) !== count($checked)) {
            throw new Failure('the answer does not contain a reply for each command');
        }
        return $reply;
    }

    /** @return string[]  the addresses of the daemons, in the order of the list */
    public function servers(): array
    {
        $servers = $this->settings(null)->servers;
        return array_map(static fn (Server $each): string => $each->address . $each->fragment(), array_values($servers));
    }

    /** Closes all connections. The next call reads settings and keys again. */
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

    /**
     * Waits up to 0.2 s for pending answers, since the original drops the commands of a client that has disconnected.
     */
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
     * @param string|array $command  a valid command
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

    /** Returns whether to send a new envelope: daemons refused the date of the old one, and none can execute it. */
    private static function wereMisdated(array $deliveries): bool
    {
        $begun = array_filter($deliveries, static fn (Delivery $each): bool => $each->begun);
        return $begun === [] && array_filter(array_column($deliveries, 'misdated')) !== [];
    }

    /**
     * Runs one turn of the event loop: handles all events that are due now, or waits for the next one until `$end`.
     * @return bool  whether a delivery is still pending
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
     * @param Delivery[]    $deliveries  the deliveries by address, which do not meet the policy
     * @param Delivery|null $chosen      the delivery whose error is thrown, or null
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
            . ($late > 0 ? ", $late of them after a later command on the same keys" : '')
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
     * @throws Failure  if the command cannot be sent
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
                throw new Failure("a command is a string, or a list of strings and integers; the type of argument $place is $type");
            }
        }
        if (trim($texts[0] ?? '', ' ') === '') {
            throw new Failure('the command is empty');
        }
        if (is_string($command) && strpos($command, "\0") !== false) {
            throw new Failure('a command cannot contain a NUL byte, unless it is a list of arguments');
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
     * Returns the daemons of a call, with their existing connections. Closes idle connections to other daemons.
     * @return Daemon[] by address
     */
    private function daemonsOf(Settings $settings): array
    {
        $isSigned = $settings->signkey !== '';
        $named = $places = [];
        foreach ($settings->servers as $address => $server) {
            // Unsigned commands may use any version that a daemon supports.
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
        // Host names come last: the other connections are opened while PHP waits for the resolver.
        $names = array_filter($places + $this->daemons, static fn (Daemon $daemon): bool => $daemon->isName());
        $this->daemons = array_diff_key($places + $this->daemons, $names) + $names;
        return $named;
    }

    /** A forked child process must not use the connections of its parent. */
    private function leaveOtherProcess(): void
    {
        if ($this->process !== getmypid()) {
            if ($this->process === 0) {
                // When PHP destroys this object at its shutdown, objects that it needs may already be destroyed.
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
