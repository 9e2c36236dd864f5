<?php
declare(strict_types=1);

namespace Dbsync;

/**
 * A non-blocking connection through PHP's streams. It is opened in steps: it tries the addresses of the host one
 * after the other, and then starts TLS.
 */
final class Socket
{
    private const READ_BYTES = 65536;
    /** The size of a write with TLS. If OpenSSL cannot write, it requires a retry with exactly the same bytes. */
    private const ENCRYPTED_BYTES = 8192;
    private const METHODS = STREAM_CRYPTO_METHOD_TLSv1_2_CLIENT | STREAM_CRYPTO_METHOD_TLSv1_3_CLIENT;

    private Server $server;
    private string $authorities;
    /** @var resource|null */
    private $stream = null;
    private bool $isConnected = false;
    private bool $isOpen = false;
    /** @var string[] the addresses of the host that were not tried yet */
    private array $candidates = [];

    /** @param string $authorities  a file with the certificates of authorities; '': those of the system */
    public function __construct(Server $server, string $authorities)
    {
        $this->server = $server;
        $this->authorities = $authorities;
    }

    public function isClosed(): bool
    {
        return $this->stream === null;
    }

    /** Returns whether the connection is open. */
    public function isOpen(): bool
    {
        return $this->isOpen;
    }

    /** @return resource|null */
    public function toRead()
    {
        return $this->isConnected ? $this->stream : null;
    }

    /** @return resource|null */
    public function toWrite(bool $unsent)
    {
        return !$this->isConnected || ($this->isOpen && $unsent) ? $this->stream : null;
    }

    /** Returns whether the host is a name. PHP blocks while it resolves a name. */
    public function isName(): bool
    {
        return filter_var($this->server->host, FILTER_VALIDATE_IP) === false;
    }

    /** @return string|null  the reason if it cannot be opened */
    public function open(): ?string
    {
        $host = $this->server->host;
        // The name itself comes last, since PHP would choose an IPv6 address first, and try no other.
        $this->candidates = $this->isName() ? array_merge(gethostbynamel($host) ?: [], [$host]) : [$host];
        return $this->tryNext('refused or unreachable');
    }

    /** Handles an event while the connection is being opened. @return string|null  the reason if it cannot be opened */
    public function advance(): ?string
    {
        if (!$this->isConnected) {
            if (stream_socket_get_name($this->stream, true) === false) {
                $this->close();
                return $this->tryNext('refused or unreachable');
            }
            $this->isConnected = true;
        }
        if (!$this->server->isEncrypted) {
            $this->isOpen = true;
            return null;
        }
        error_clear_last();
        $done = @stream_socket_enable_crypto($this->stream, true, self::METHODS);
        $problem = $done === false ? self::problemOfTls() : ($done === true ? $this->problemOfKey() : null);
        $this->isOpen = $done === true && $problem === null;
        return $problem;
    }

    /** @return string|null  the bytes, '' if there are none now, or null if the connection has ended */
    public function read(): ?string
    {
        $bytes = @fread($this->stream, self::READ_BYTES);
        if ($bytes === false || $bytes === '') {
            return $bytes === false || stream_get_meta_data($this->stream)['eof'] ? null : '';
        }
        return $bytes;
    }

    /** @return int|null  the number of written bytes from `$at` on, or null if the connection is broken */
    public function write(string $bytes, int $at): ?int
    {
        if ($this->server->isEncrypted) {
            $bytes = substr($bytes, $at, self::ENCRYPTED_BYTES);
        } elseif ($at > 0) {
            $bytes = substr($bytes, $at);
        }
        $count = @fwrite($this->stream, $bytes);
        if ($count === false) {
            // With TLS, fwrite also returns false if OpenSSL cannot write at the moment.
            return $this->server->isEncrypted && !feof($this->stream) ? 0 : null;
        }
        return $count;
    }

    public function close(): void
    {
        if ($this->stream !== null) {
            fclose($this->stream);
        }
        $this->stream = null;
        $this->isConnected = $this->isOpen = false;
    }

    /** @return string|null  the reason if no address of the host remains */
    private function tryNext(string $problem): ?string
    {
        $context = stream_context_create(['socket' => ['tcp_nodelay' => true], 'ssl' => $this->encryption()]);
        $flags = STREAM_CLIENT_CONNECT | STREAM_CLIENT_ASYNC_CONNECT;
        while ($this->candidates !== []) {
            $host = array_shift($this->candidates);
            $url = 'tcp://' . (strpos($host, ':') === false ? $host : "[$host]") . ":{$this->server->port}";
            $stream = @stream_socket_client($url, $number, $problem, 1.0, $flags, $context);
            if ($stream !== false) {
                stream_set_blocking($stream, false);
                stream_set_read_buffer($stream, 0);
                $this->stream = $stream;
                return null;
            }
        }
        return stripos($problem, 'getaddrinfo') === false
            ? "connect: $problem; is dbsyncd running there?"
            : 'dns: the name was not resolved; check its spelling and this machine\'s DNS';
    }

    private function encryption(): array
    {
        $isPinned = $this->server->pins !== [];
        $options = [
            'peer_name' => $this->server->host,
            'SNI_enabled' => $this->isName(),
            'verify_peer' => !$isPinned,
            'verify_peer_name' => !$isPinned,
            'capture_peer_cert' => true,
        ];
        return $this->authorities === '' ? $options : $options + ['cafile' => $this->authorities];
    }

    private static function problemOfTls(): string
    {
        $message = error_get_last()['message'] ?? '';
        if (preg_match('/certificate verify failed|did not match expected CN.*|cafile|[Cc]ould not/s', $message, $match) !== 1) {
            return 'tls: the handshake failed; is that daemon started with --tls-cert and --tls-key?';
        }
        return "tls: $match[0]: its certificate must not have expired, must be for the name in the list, and must be signed by an authority of"
            . ' dbsync.ca (DBSYNC_CA) or the system\'s; or pin its key: add the #sha256:… that the daemon logs after its address';
    }

    /**
     * Checks whether the key is one of the pinned ones. In this case the authority of the certificate does not
     * matter.
     */
    private function problemOfKey(): ?string
    {
        if ($this->server->pins === []) {
            return null;
        }
        $certificate = stream_context_get_options($this->stream)['ssl']['peer_certificate'] ?? null;
        $key = $certificate === null ? false : openssl_pkey_get_public($certificate);
        $der = $key === false ? '' : Key::derOf(openssl_pkey_get_details($key)['key']);
        $fingerprint = hash('sha256', $der);
        return in_array($fingerprint, $this->server->pins, true) ? null : "tls: its key is sha256:$fingerprint, which is not"
            . ' pinned: correct the #sha256:… after its address, if this is your daemon; nothing was sent';
    }
}
