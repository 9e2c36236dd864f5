<?php
declare(strict_types=1);

namespace Dbsync;

/**
 * One command, or several commands as one unit, with their encoded forms. The signature for a version is made when a
 * daemon needs it.
 */
final class Command
{
    public ?Key $key;
    public Cluster $cluster;
    /** The id of the envelope, or '' before it is made. */
    public string $id = '';
    /** @var string[][] */
    private array $commands;
    private bool $isMulti;
    private int $db;
    /** The command line for version 1. */
    private string $line;
    /** @var string[] the encoded and signed forms by version */
    private array $frames = [];

    /**
     * @param string|string[]|string[][] $given  a line, which is split at spaces; a list of arguments; or with
     *   `$isMulti` several of these
     */
    public function __construct($given, bool $isMulti, ?Key $key, Cluster $cluster, int $db)
    {
        $commands = $isMulti ? $given : [$given];
        $this->commands = array_map(static fn ($each) => is_array($each) ? $each : self::words($each), $commands);
        $this->line = is_array($commands[0]) ? implode(' ', $commands[0]) : $commands[0];
        $this->isMulti = $isMulti;
        $this->key = $key;
        $this->cluster = $cluster;
        $this->db = $db;
    }

    public function frame(int $version): string
    {
        return $this->frames[$version] = $this->frames[$version]
            ?? ($version === 1 ? $this->lineFrame() : $this->envelopeFrame());
    }

    /** Returns why version 1 cannot transmit the command, or null if it can. */
    public function problemOfVersion1(): ?string
    {
        if ($this->isMulti || $this->db !== 0) {
            return 'version 1 transmits only one command, for database 0: several commands and other databases need a daemon of version 2';
        }
        if ($this->key !== null && !$this->key->isForVersion1()) {
            return 'version 1 supports only RSA keys';
        }
        if ($this->commands[0] !== self::words($this->line)) {
            return 'version 1 splits commands at spaces, and an argument of this one contains a space or is empty: it needs a '
                . 'daemon of version 2';
        }
        return strpos($this->line, "\0") === false ? null : 'version 1 cannot transmit a NUL byte';
    }

    /** @return string[] */
    private static function words(string $line): array
    {
        return array_values(array_filter(explode(' ', $line), 'strlen'));
    }

    private function lineFrame(): string
    {
        $payload = "$this->line\0";
        if ($this->key !== null) {
            $payload = 'ds:' . strlen($payload) . ":$payload" . $this->key->sign($payload);
        }
        return 'ds:' . strlen($payload) . ":$payload";
    }

    private function envelopeFrame(): string
    {
        [$at, $seq] = $this->cluster->date();
        $key = $this->key === null ? Cluster::NO_KEY : $this->key->id;
        $header = ['key', $key, 'cluster', $this->cluster->id];
        array_push($header, 'at', (string) $at, 'seq', (string) $seq, 'nonce', random_bytes(16));
        if ($this->db !== 0) {
            array_push($header, 'db', (string) $this->db);
        }
        if ($this->isMulti) {
            array_push($header, 'multi', '1');
        }
        $body = Resp::list(
            [Resp::bulk('dbsync2'), Resp::bulks($header), ...array_map([Resp::class, 'bulks'], $this->commands)]
        );
        $signed = "dbsync2\0command\0" . pack('J', strlen($body)) . $body;
        $this->id = hash('sha256', $signed, true);
        return Resp::message('command', $body, $this->key === null ? '' : $this->key->sign($signed));
    }
}
