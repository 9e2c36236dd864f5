<?php
declare(strict_types=1);

namespace Dbsync;

/** The daemons' time as this process knows it, and the cluster that it speaks to: version 2. */
final class Cluster
{
    /** The key of an envelope that is not signed, and the cluster of daemons that take such ones. */
    public const NO_KEY = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    /** An envelope is dated at most this much later than the daemons' clock. */
    private const MAX_AHEAD_MS = 4000;
    private const MAX_SEQ = 65535;

    /** 32 bytes, or '' until the first daemon has named it. */
    public string $id;
    /** @var int[] milliseconds that a daemon's clock is ahead of ours, by address */
    private array $offsets = [];
    /** @var int[] the highest `at` and `seq` of what daemons have applied */
    private array $newest = [0, 0];
    /** @var int[] those of the last envelope */
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

    /** A new `at` and `seq`: later than all that was answered, by the clock that stands in the middle. */
    public function date(): array
    {
        $offsets = $this->offsets ?: [0];
        sort($offsets);
        $now = self::clock() + $offsets[intdiv(count($offsets) - 1, 2)];
        $latest = $now + self::MAX_AHEAD_MS;
        // What was dated later went by a clock that has proved wrong.
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
