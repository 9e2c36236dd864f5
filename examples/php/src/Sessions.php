<?php
declare(strict_types=1);

namespace Dbsync;

/**
 * A handler of PHP's sessions for session_set_save_handler(). Each session is a key that expires. A failed read or
 * write throws a Failure: if a failed read returned an empty session, PHP would overwrite the stored one. Requires
 * version 2. With `lock`, the requests of one session wait for each other. The first daemon in the list that answers
 * grants the lock, so list the daemons in the same order everywhere. If this daemon fails, two requests may have the
 * lock for a moment.
 */
final class Sessions implements \SessionHandlerInterface, \SessionUpdateTimestampHandlerInterface
{
    private const LEASE_SECONDS = 60;
    /** The share of the lease during which the owner can be sure of the lock, since clocks differ. */
    private const SURE_PART = 0.95;
    private const RETRY_MS = [10, 60];
    /**
     * The timeout in seconds of a request for the lock to one daemon. A hung daemon delays a request only for this
     * time.
     */
    private const ASK_SECONDS = 0.5;

    private Client $client;
    private string $prefix;
    private ?int $lifetime;
    private float $lock;
    private float $lease;
    private float $ask;
    /**
     * @var array|null the acquired lock: its name, the server, the time until which it is certain, and the number of
     *   the turn
     */
    private ?array $held = null;

    /**
     * @param Client $client   a client of all daemons
     * @param array  $options  prefix: the prefix of the keys ("session:"); lifetime: the lifetime of a session in seconds
     *                         (session.gc_maxlifetime); lock: the maximum time in seconds for which a request waits for
     *                         another request of the same session (0: requests do not wait); lease: the time in
     *                         seconds after which the lock of a killed process ends, longer than any request takes
     *                         (60); ask: the time in seconds after which the next daemon is asked for the lock (0.5)
     * @throws Failure
     */
    public function __construct(Client $client, array $options = [])
    {
        $known = ['prefix' => 'session:', 'lifetime' => null, 'lock' => 0, 'lease' => self::LEASE_SECONDS, 'ask' => self::ASK_SECONDS];
        foreach (array_keys(array_diff_key($options, $known)) as $name) {
            throw new Failure("sessions have no option \"$name\"; the options are " . implode(', ', array_keys($known)));
        }
        $options += $known;
        $this->client = $client;
        $this->prefix = (string) $options['prefix'];
        $this->lifetime = $options['lifetime'] === null ? null : (int) $options['lifetime'];
        $this->lock = (float) $options['lock'];
        $this->lease = (float) $options['lease'];
        $this->ask = (float) $options['ask'];
    }

    /**
     * @param string $path
     * @param string $name
     */
    public function open($path, $name): bool
    {
        return true;
    }

    public function close(): bool
    {
        $this->release();
        return true;
    }

    /** @param string $id */
    public function read($id): string
    {
        if ($this->lock > 0) {
            $this->acquire("{$this->prefix}lock:$id");
        }
        return (string) ($this->readWhereHeld($id) ?? $this->client->call(['GET', $this->prefix . $id]));
    }

    /**
     * @param string $id
     * @param string $data
     */
    public function write($id, $data): bool
    {
        $this->client->call(['SET', $this->prefix . $id, $data, 'EX', $this->seconds()]);
        // The next request may read from another daemon.
        $this->client->finish();
        return true;
    }

    /** @param string $id */
    public function destroy($id): bool
    {
        $this->client->call(['DEL', $this->prefix . $id]);
        $this->client->finish();
        return true;
    }

    /** @param int $lifetime */
    public function gc($lifetime): int
    {
        return 0;
    }

    /** @param string $id  for session.use_strict_mode: PHP accepts only ids of existing sessions from a cookie */
    public function validateId($id): bool
    {
        return $this->client->call(['EXISTS', $this->prefix . $id]) === 1;
    }

    /**
     * @param string $id
     * @param string $data  the unchanged data
     */
    public function updateTimestamp($id, $data): bool
    {
        $isThere = $this->client->call(['EXPIRE', $this->prefix . $id, $this->seconds()]) === 1;
        return $isThere || $this->write($id, $data);
    }

    private function seconds(): int
    {
        return max(1, $this->lifetime ?? (int) ini_get('session.gc_maxlifetime'));
    }

    /** @throws Failure  if another request holds the lock, or no daemon answers */
    private function acquire(string $name): void
    {
        $this->release();
        $end = self::now() + $this->lock;
        do {
            $failure = null;
            foreach ($this->client->servers() as $server) {
                try {
                    if ($this->tried($name, $server)) {
                        return;
                    }
                    $failure = null;
                    break;
                } catch (CommandError $error) {
                    throw $error;
                } catch (Failure $failure) {
                    continue;
                }
            }
            if ($failure !== null) {
                throw $failure;
            }
            usleep(1000 * random_int(...self::RETRY_MS));
        } while (self::now() < $end);
        throw new Failure("$name: another request has locked this session for $this->lock s: shorten that request, or call"
            . ' session_write_close() in it; if it was killed, the lock ends ' . $this->lease . ' s after its start');
    }

    /**
     * Tries to acquire the lock for the next turn. Turns are numbered, and a request tries a number only after all
     * earlier turns have ended. A failed attempt may therefore still take effect later, but only for a number that
     * another request has already taken. The request has the lock if its attempt was the first one with this number on
     * this daemon, and was not late.
     * @throws Failure  if this daemon does not answer
     */
    private function tried(string $name, string $server): bool
    {
        $look = ['ZMSCORE', $name, 'taken', 'released'];
        [$taken, $released] = $this->client->call($look, ['servers' => $server, 'timeout' => $this->ask]);
        if ((int) $taken > (int) $released) {
            return false;
        }
        $number = max((int) $taken, (int) $released) + 1;
        $sent = self::now();
        $try = [$look, ['ZADD', $name, 'GT', 'CH', $number, 'taken'], $this->lasting($name)];
        try {
            // The policy is a number, so that a late answer does not count.
            [$before, $changed] = $this->client->multi($try, ['servers' => $server, 'policy' => 1, 'timeout' => $this->ask]);
        } catch (Failure $failure) {
            if ($failure->answered > 0) {
                return false;
            }
            throw $failure;
        }
        $isOurs = $changed === 1 && is_array($before) && (int) $before[0] <= (int) $before[1];
        $this->held = $isOurs ? [$name, $server, $sent + self::SURE_PART * $this->lease, $number] : null;
        return $isOurs;
    }

    /**
     * Reads from the daemon that granted the lock. It has the writes of the previous owner of the lock, because it
     * received them before the release.
     */
    private function readWhereHeld(string $id): ?string
    {
        try {
            return $this->held === null ? null : $this->client->call(['GET', $this->prefix . $id], ['servers' => $this->held[1], 'timeout' => $this->ask]);
        } catch (Failure $failure) {
            return null;
        }
    }

    private function release(): void
    {
        if ($this->held === null) {
            return;
        }
        [$name, , $until, $number] = $this->held;
        $this->held = null;
        try {
            if (self::now() < $until) {
                $done = [['ZADD', $name, 'GT', $number, 'released'], $this->lasting($name)];
                // The release goes to every daemon, since the one that granted the lock may hang.
                $this->client->multi($done);
            }
        } catch (Failure $failure) {
            // The lock ends with its lease.
        }
    }

    private function lasting(string $name): array
    {
        return ['PEXPIRE', $name, (int) (1000 * $this->lease)];
    }

    private static function now(): float
    {
        return hrtime(true) / 1e9;
    }
}
