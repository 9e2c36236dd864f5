<?php
declare(strict_types=1);

namespace Dbsync;

/** The clocks of the daemons and the id of their cluster, for version 2. */
final class Cluster
{
    /** The key id in unsigned envelopes, and the cluster id of daemons that accept them. */
    public const NO_KEY = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    /** The maximum time by which the date of an envelope may be ahead of the daemons' clocks. */
    private const MAX_AHEAD_MS = 4000;
    private const MAX_SEQ = 65535;

    /** The id of 32 bytes, or '' until the first daemon has sent it. */
    public string $id;
    /** @var int[] the milliseconds by which the clock of each daemon is ahead of this one, by address */
    private array $offsets = [];
    /** @var int[] the highest `at` and `seq` that daemons have applied */
    private array $newest = [0, 0];
    /** @var int[] the `at` and `seq` of the last envelope */
    private array $used = [0, 0];

    public function __construct(string $id)
    {
        $this->id = $id;
    }

    public static function clock(): int
    {
        return (int) (microtime(true) * 1000);
    }

    public function learn(string $address, string $clock, string $newest = '0 0'): void
    {
        $this->offsets[$address] = (int) $clock - self::clock();
        [$at, $seq] = explode(' ', "$newest 0");
        $this->newest = max($this->newest, [(int) $at, (int) $seq]);
    }

    /**
     * Returns a new `at` and `seq`, later than those of all answered envelopes, according to the median of the
     * daemons' clocks.
     */
    public function date(): array
    {
        $offsets = $this->offsets ?: [0];
        sort($offsets);
        $now = self::clock() + $offsets[intdiv(count($offsets) - 1, 2)];
        $latest = $now + self::MAX_AHEAD_MS;
        // Ignore dates that are too far ahead, because a clock was wrong.
        $used = $this->used[0] > $latest ? [0, 0] : $this->used;
        $newest = $this->newest[0] > $latest ? [$latest, -1] : $this->newest;
        [$at, $seq] = max($used, $newest);
        if ($now > $at) {
            [$at, $seq] = [$now, 0];
        } elseif (++$seq > self::MAX_SEQ) {
            [$at, $seq] = [$at + 1, 0];
        }
        return $this->used = [$at, $seq];
    }
}
