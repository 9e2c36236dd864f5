<?php
declare(strict_types=1);

namespace Dbsync;

/**
 * An entry of the list of servers: `host`, `host:port` or `[IPv6]:port`. `dbsyncs://` before it selects TLS, and
 * `#sha256:…` after it pins the fingerprints of the key. `dbsync1://` and `dbsyncs1://` select version 1, and a 2
 * instead of the 1 selects version 2.
 */
final class Server
{
    private const DEFAULT_PORT = 1111;
    private const MAX_PORT = 65535;

    public string $host;
    public int $port;
    /** The name of the server in messages. */
    public string $address;
    public bool $isEncrypted;
    /** @var string[] the pinned fingerprints, 64 hexadecimal digits each */
    public array $pins;
    /** The version in the entry, '1' or '2', or ''. */
    public string $versions;

    /** @throws Failure  if the entry has none of these forms */
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
     * @param mixed $servers  a string with commas between the entries, or a list of strings
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

    /** Returns the address in the form for PHP's streams. */
    public function place(): string
    {
        return (strpos($this->host, ':') === false ? $this->host : "[$this->host]") . ":$this->port";
    }

    /** Returns the pins in the form in which they follow an address. */
    public function fragment(): string
    {
        return implode('', array_map(static fn (string $pin): string => "#sha256:$pin", $this->pins));
    }

    /** @return string[] */
    private static function pins(string $fragment, string $entry, bool $isEncrypted): array
    {
        if ($fragment !== '' && !$isEncrypted) {
            throw new Failure("dbsync.servers: \"$entry\": a fingerprint needs TLS: write dbsyncs:// before the address");
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
