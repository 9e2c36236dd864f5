<?php
declare(strict_types=1);

namespace Dbsync;

/**
 * An entry of a list of servers: `host`, `host:port`, `[IPv6]:port`; in front of it `dbsyncs://` for TLS, and behind it
 * the fingerprints that are good (`#sha256:…`), if its key is to be pinned; `dbsync1://`, `dbsyncs1://`: it is sent
 * version 1; with a 2: version 2 alone.
 */
final class Server
{
    private const DEFAULT_PORT = 1111;
    private const MAX_PORT = 65535;

    public string $host;
    public int $port;
    /** How messages name it. */
    public string $address;
    public bool $isEncrypted;
    /** @var string[] of its key, 64 hexadecimal digits each */
    public array $pins;
    /** '1' or '2', if its entry says so; else ''. */
    public string $versions;

    /** @throws Failure  it has none of these forms */
    public function __construct(string $entry)
    {
        preg_match('/^(?:dbsync(s?)([12]?):\/\/)?([^#]*)(.*)$/is', $entry, $parts);
        [, $secure, $this->versions, $place, $fragment] = $parts;
        $isAddress = filter_var($place, FILTER_VALIDATE_IP, FILTER_FLAG_IPV6) !== false;
        $text = $isAddress ? "[$place]" : $place;
        $matches = preg_match('/^(?:\[(.+)\]|([^\s:\[\]\/]+))(?::(\d{1,5}))?$/D', $text, $match);
        $this->port = isset($match[3]) ? (int) $match[3] : self::DEFAULT_PORT;
        $inBrackets = $match[1] ?? '';
        $isHost = $inBrackets === '' || filter_var($inBrackets, FILTER_VALIDATE_IP, FILTER_FLAG_IPV6);
        if ($matches !== 1 || !$isHost || $this->port < 1 || $this->port > self::MAX_PORT) {
            throw new Failure("dbsync.servers: \"$entry\" is not host, host:port or [IPv6]:port, with TLS dbsyncs:// before it");
        }
        $this->host = $inBrackets !== '' ? $inBrackets : $match[2];
        $this->isEncrypted = $secure !== '';
        $this->pins = self::pins($fragment, $entry, $this->isEncrypted);
        $scheme = $secure === '' && $this->versions === '' ? '' : 'dbsync' . strtolower($secure) . "$this->versions://";
        $this->address = $scheme . $this->place();
    }

    /**
     * @param mixed $servers  a text with commas between them, or a list of texts
     * @return self[] by address
     * @throws Failure
     */
    public static function list($servers): array
    {
        $texts = is_array($servers) ? $servers : [$servers];
        if (array_filter($texts, 'is_string') !== $texts) {
            throw new Failure('the option servers is a text, or a list of texts');
        }
        $list = [];
        foreach (explode(',', implode(',', $texts)) as $entry) {
            if (trim($entry) !== '') {
                $server = new self(trim($entry));
                $list[$server->address] = $list[$server->address] ?? $server;
            }
        }
        if ($list === []) {
            throw new Failure('dbsync.servers: names no server');
        }
        return $list;
    }

    /** As PHP's streams want it. */
    public function place(): string
    {
        return (strpos($this->host, ':') === false ? $this->host : "[$this->host]") . ":$this->port";
    }

    /** The pins as they stand behind an address. */
    public function fragment(): string
    {
        return implode('', array_map(static fn (string $pin): string => "#sha256:$pin", $this->pins));
    }

    /** @return string[] */
    private static function pins(string $fragment, string $entry, bool $isEncrypted): array
    {
        if ($fragment !== '' && !$isEncrypted) {
            throw new Failure("dbsync.servers: \"$entry\": a fingerprint needs TLS: write dbsyncs:// in front");
        }
        $pins = [];
        foreach (array_slice(explode('#', $fragment), 1) as $pin) {
            $digits = preg_match('/^sha256:(.+)$/Di', $pin, $match) === 1 ? $match[1] : '';
            if (preg_match('/^[\da-f]{64}$/Di', $digits) !== 1) {
                $bytes = base64_decode(strtr($digits, '-_', '+/'), true);
                $digits = $bytes !== false && strlen($bytes) === 32 ? bin2hex($bytes) : '';
            }
            if ($digits === '') {
                throw new Failure("dbsync.servers: \"$entry\": a fingerprint is #sha256: and 64 hexadecimal digits, or base64");
            }
            $pins[] = strtolower($digits);
        }
        return $pins;
    }
}
