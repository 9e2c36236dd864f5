<?php
declare(strict_types=1);

namespace Dbsync;

/** A connection as streams have it, never waited for: it opens step by step, one of the host's addresses after the other, TLS behind. */
final class Socket
{
    private const READ_BYTES = 65536;
    /** OpenSSL wants what it could not write to come again as it was. */
    private const ENCRYPTED_BYTES = 8192;
    private const METHODS = STREAM_CRYPTO_METHOD_TLSv1_2_CLIENT | STREAM_CRYPTO_METHOD_TLSv1_3_CLIENT;

    private Server $server;
    private string $authorities;
    /** @var resource|null */
    private $stream = null;
    private bool $isConnected = false;
    private bool $isOpen = false;
    /** @var string[] addresses of the host that are still to be tried */
    private array $candidates = [];

    /** @param string $authorities  a file with certificates of those who may sign others; '': the system's */
    public function __construct(Server $server, string $authorities)
    {
        $this->server = $server;
        $this->authorities = $authorities;
    }

    public function isClosed(): bool
    {
        return $this->stream === null;
    }

    /** Whether it can carry bytes. */
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

    /** A name has to be resolved first, for which PHP waits. */
    public function isName(): bool
    {
        return filter_var($this->server->host, FILTER_VALIDATE_IP) === false;
    }

    /** @return string|null  why it cannot be opened */
    public function open(): ?string
    {
        $host = $this->server->host;
        // The name itself comes last: PHP would take an IPv6 address first, and try no other.
        $this->candidates = $this->isName() ? array_merge(gethostbynamel($host) ?: [], [$host]) : [$host];
        return $this->tryNext('refused or unreachable');
    }

    /** Something has happened while it was opening. @return string|null  why it cannot be opened */
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

    /** @return string|null  '': nothing now; null: it has ended */
    public function read(): ?string
    {
        $bytes = @fread($this->stream, self::READ_BYTES);
        if ($bytes === false || $bytes === '') {
            return $bytes === false || stream_get_meta_data($this->stream)['eof'] ? null : '';
        }
        return $bytes;
    }

    /** @return int|null  how many bytes from `$at` were taken; null: it has broken */
    public function write(string $bytes, int $at): ?int
    {
        if ($this->server->isEncrypted) {
            $bytes = substr($bytes, $at, self::ENCRYPTED_BYTES);
        } elseif ($at > 0) {
            $bytes = substr($bytes, $at);
        }
        $count = @fwrite($this->stream, $bytes);
        if ($count === false) {
            // OpenSSL's "not now" looks the same.
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

    /** @return string|null  why none of the host's addresses can be tried any more */
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
        return "tls: $match[0]: its certificate has to be in its dates, for the name in the list, and signed by an authority of"
            . ' dbsync.ca (DBSYNC_CA) or the system\'s; or pin its key: #sha256:… behind its address, as the daemon logs it';
    }

    /** Whether the key is one of those that are pinned; who has signed the certificate does not count then. */
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
            . ' pinned: correct the #sha256:… behind its address, if this is your daemon; nothing was sent';
    }
}
