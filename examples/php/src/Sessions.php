<?php
declare(strict_types=1);

namespace Dbsync;

/**
 * PHP's sessions, for session_set_save_handler(): each a key that expires. Whatever cannot be read or written is a Failure, for
 * an empty session in the place of one that could not be read would be written over it. Needs version 2.
 * With `lock` requests of one session wait for each other. The lock is asked of one daemon, the first of the list that answers:
 * name the daemons in the same order everywhere; while that one goes down two requests may hold it for a moment.
 */
final class Sessions implements \SessionHandlerInterface, \SessionUpdateTimestampHandlerInterface
{
    private const LEASE_SECONDS = 60;
    /** Part of the lease within which the lock is surely its holder's: clocks differ. */
    private const SURE_PART = 0.95;
    private const LOOK_MS = [10, 60];
    /** Seconds that one daemon has to answer a question about the lock; a hung one costs no more. */
    private const ASK_SECONDS = 0.5;

    private Client $client;
    private string $prefix;
    private ?int $lifetime;
    private float $lock;
    private float $lease;
    private float $ask;
    /** @var array|null of the lock that is held: name, server, until when it is surely ours, number of the turn */
    private ?array $held = null;

    /**
     * @param Client $client   of all daemons
     * @param array  $options  prefix: of the keys ("session:"); lifetime: seconds (session.gc_maxlifetime); lock: seconds that a
     *                         request waits for another one of the same session (none: requests do not wait); lease: seconds
     *                         after which a lock ends whose holder has died, more than any request takes (60); ask:
     *                         seconds after which the next daemon is asked for the lock (0.5)
     * @throws Failure
     */
    public function __construct(Client $client, array $options = [])
    {
        $known = ['prefix' => 'session:', 'lifetime' => null, 'lock' => 0, 'lease' => self::LEASE_SECONDS, 'ask' => self::ASK_SECONDS];
        foreach (array_keys(array_diff_key($options, $known)) as $name) {
            throw new Failure("sessions have no option \"$name\"; there are " . implode(', ', array_keys($known)));
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
        // The next request may read at another daemon.
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

    /** @param string $id  for session.use_strict_mode: only what is there is taken from a cookie */
    public function validateId($id): bool
    {
        return $this->client->call(['EXISTS', $this->prefix . $id]) === 1;
    }

    /**
     * @param string $id
     * @param string $data  unchanged
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

    /** @throws Failure  it stays somebody else's, or no daemon answers */
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
            usleep(1000 * random_int(...self::LOOK_MS));
        } while (self::now() < $end);
        throw new Failure("$name: another request has held this session for $this->lock s: let it end sooner, or call"
            . ' session_write_close() in it; if it has died, the lock ends ' . $this->lease . ' s after it began');
    }

    /**
     * Turns have numbers, and one is tried only where all before it are over: then an attempt in vain that comes to have its effect
     * after all, put before another in the order of dates, names a number that somebody has had. Ours is what we were the first
     * to try, at one daemon, and not late.
     * @throws Failure  that daemon does not tell
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
            // As policy a number: an answer that came late is none.
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

    /** That daemon was sent what the last holder has written before the lock was given back: it has it. */
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
                // Every daemon: the one that granted the lock may hang.
                $this->client->multi($done);
            }
        } catch (Failure $failure) {
            // Its lease ends it.
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
