<?php
/*
 * dbsync for PHP 7.4 and later, in one file: dbsync_send() and dbsync_reset() as php-dbsync's extension has
 * them, and dbsync_last_error(). Needs ext-openssl for signing, nothing else. Copy it, require it.
 * Source: docs/protocol.md "Version 1"; what differs from the extension: docs/compatibility.md.
 *
 * Settings, from the environment or else from php.ini; read once, until dbsync_reset():
 *   DBSYNC_SERVERS    dbsync.servers    "10.0.0.1:1111, [fd00::2]:1111, db3.example"; default port 1111;
 *                                       none: 127.0.0.1:1111. Prefer addresses: PHP waits for names.
 *   DBSYNC_SIGNKEY    dbsync.signkey    private key file (RSA, PEM, no passphrase); none or empty: unsigned
 *   DBSYNC_KEEPALIVE  dbsync.keepalive  0: a new connection for each call; else one for the script
 *   DBSYNC_FORMAT     dbsync.format     "php-dbsync" (as the extension: "redis:5:PONG") or "text" ("PONG")
 */
declare(strict_types=1);

/** Does nothing where the extension, or this file, is loaded already. */
if (!function_exists('dbsync_send')) {
    /**
     * Signs a command once, sends it to every daemon at once, returns the first good answer, within 3 s.
     * @param string      $command  one line, cut at blanks by the daemon; no quoting
     * @param string|null $servers  instead of the configured ones
     * @return string|null  null: no value, or nobody answered; then dbsync_last_error() says why
     */
    function dbsync_send(string $command, ?string $servers = null): ?string
    {
        return Dbsync::send($command, $servers);
    }

    /** Closes all connections; settings and key are read again by the next call. */
    function dbsync_reset(): void
    {
        Dbsync::reset();
    }

    /** Why the last dbsync_send() had no answer, with address and stage of every daemon; null: it had one. */
    function dbsync_last_error(): ?string
    {
        return Dbsync::$error;
    }

    /** A reason for null that the caller can do something about. */
    final class DbsyncFailure extends Exception
    {
    }

    /** A command on its way to one daemon. Settled when `failure` is set or `answered` is true. */
    final class DbsyncDelivery
    {
        public string $frame;
        /** By hrtime, in seconds. */
        public float $deadline;
        public bool $answered = false;
        /** The payload's first chunk, "redis:5:PONG"; null: no value. */
        public ?string $chunk = null;
        /** Stage and sentence. */
        public ?string $failure = null;

        public function __construct(string $frame, float $deadline)
        {
            $this->frame = $frame;
            $this->deadline = $deadline;
        }

        public function settled(): bool
        {
            return $this->answered || $this->failure !== null;
        }
    }

    /**
     * One daemon: a connection at most, and the deliveries that wait for it. One request is in flight at a
     * time, for the original daemon takes two frames in one segment for garbage. Nothing is sent twice.
     */
    final class DbsyncDaemon
    {
        /** The original daemon closes after 3 s of silence; a command must not meet that. */
        private const IDLE_SECONDS = 2.5;
        /** A daemon that is behind by more misses the next command. */
        private const MAX_WAITING = 1000;
        private const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
        private const READ_BYTES = 65536;
        /** PHP takes memory in pieces of 2 MiB. */
        private const SPARE_BYTES = 2 * 1024 * 1024;
        /** `ds:`, ten characters, a colon. */
        private const MAX_HEADER_BYTES = 14;

        /** Bytes of answers that are on their way, from all daemons together. */
        private static int $announced = 0;

        public string $address;
        /** Whether the connection outlives an answer. */
        public bool $keepAlive = true;
        private string $host;
        private int $port;
        /** @var resource|null */
        private $socket = null;
        private bool $connected = false;
        /** @var string[] addresses of the host that are still to be tried */
        private array $candidates = [];
        /** @var DbsyncDelivery[] the first one is in flight once `written` is above 0 */
        private array $waiting = [];
        private int $written = 0;
        private string $input = '';
        /** Bytes of the whole answer, or 0 while its header is unknown. */
        private int $expected = 0;
        private float $lastUse = 0.0;

        public function __construct(string $host, int $port)
        {
            $this->host = $host;
            $this->port = $port;
            $this->address = (strpos($host, ':') === false ? $host : "[$host]") . ":$port";
        }

        public function deliver(DbsyncDelivery $delivery): void
        {
            if (count($this->waiting) >= self::MAX_WAITING) {
                $delivery->failure = 'busy: ' . self::MAX_WAITING . ' earlier commands still wait for it';
                return;
            }
            $this->waiting[] = $delivery;
        }

        public function isIdle(): bool
        {
            return $this->waiting === [];
        }

        /** A name has to be resolved first, for which PHP waits. */
        public function isName(): bool
        {
            return filter_var($this->host, FILTER_VALIDATE_IP) === false;
        }

        /** @return resource|null */
        public function socketToRead()
        {
            return $this->connected ? $this->socket : null;
        }

        /** @return resource|null */
        public function socketToWrite()
        {
            $unsent = $this->waiting !== [] && $this->written < strlen($this->waiting[0]->frame);
            return $unsent || !$this->connected ? $this->socket : null;
        }

        public function nextDeadline(): ?float
        {
            return $this->waiting === [] ? null : $this->waiting[0]->deadline;
        }

        /** Gives up what is overdue, and connects if something waits. */
        public function tick(float $now): void
        {
            if ($this->waiting === [] && $now - $this->lastUse > self::IDLE_SECONDS) {
                $this->close();
            }
            while ($this->waiting !== [] && $this->waiting[0]->deadline <= $now) {
                if ($this->socket !== null && !$this->connected) {
                    $this->fail('timeout: no connection in time; is the host up, does a firewall drop it?');
                } elseif ($this->written > 0) {
                    $this->fail('timeout: no answer in time; whether the command was executed is unknown');
                } else {
                    $this->fail('timeout: still busy with an earlier command; this one was not sent');
                }
            }
            if ($this->waiting !== [] && $this->socket === null) {
                $this->connect();
            }
        }

        /** Looks, before a kept connection is used, whether the daemon has closed it. */
        public function probe(): void
        {
            if ($this->connected && $this->waiting === []) {
                $this->onReadable();
            }
        }

        public function onWritable(): void
        {
            if (!$this->connected) {
                if (stream_socket_get_name($this->socket, true) === false) {
                    $this->close();
                    $this->tryNext('refused or unreachable');
                    return;
                }
                $this->connected = true;
            }
            if ($this->waiting === []) {
                return;
            }
            $frame = $this->waiting[0]->frame;
            $count = @fwrite($this->socket, $this->written === 0 ? $frame : substr($frame, $this->written));
            if ($count === false) {
                $this->fail('send: the connection broke while the command was sent');
                return;
            }
            $this->written += $count;
        }

        public function onReadable(): void
        {
            do {
                $bytes = @fread($this->socket, self::READ_BYTES);
                if ($bytes === false || $bytes === '') {
                    if ($bytes === false || stream_get_meta_data($this->socket)['eof']) {
                        $this->onEnd();
                    }
                    return;
                }
                $this->input .= $bytes;
                $this->readAnswer();
            } while ($this->socket !== null);
        }

        public function close(): void
        {
            if ($this->socket !== null) {
                fclose($this->socket);
            }
            $this->socket = null;
            $this->connected = false;
            $this->forgetAnswer();
        }

        private function forgetAnswer(): void
        {
            self::$announced -= $this->expected;
            $this->written = $this->expected = 0;
            $this->input = '';
        }

        private function connect(): void
        {
            $this->candidates = [$this->host];
            if ($this->isName()) {
                // The name itself comes last: PHP would take an IPv6 address first, and try no other.
                $this->candidates = array_merge(gethostbynamel($this->host) ?: [], $this->candidates);
            }
            $this->tryNext('refused or unreachable');
        }

        private function tryNext(string $problem): void
        {
            $context = stream_context_create(['socket' => ['tcp_nodelay' => true]]);
            $flags = STREAM_CLIENT_CONNECT | STREAM_CLIENT_ASYNC_CONNECT;
            while ($this->candidates !== []) {
                $host = array_shift($this->candidates);
                $url = 'tcp://' . (strpos($host, ':') === false ? $host : "[$host]") . ":$this->port";
                $socket = @stream_socket_client($url, $number, $problem, 1.0, $flags, $context);
                if ($socket !== false) {
                    stream_set_blocking($socket, false);
                    stream_set_read_buffer($socket, 0);
                    $this->socket = $socket;
                    return;
                }
            }
            $failure = stripos($problem, 'getaddrinfo') === false
                ? "connect: $problem; is dbsyncd running there?"
                : 'dns: the name was not resolved; check its spelling and this machine\'s DNS';
            while ($this->waiting !== []) {
                $this->fail($failure);
            }
        }

        /** Settles the first delivery; the connection cannot be used after that. */
        private function fail(string $failure): void
        {
            $this->close();
            array_shift($this->waiting)->failure = $failure;
        }

        private function onEnd(): void
        {
            if ($this->written === 0) {
                $this->close();
            } else {
                $this->fail('no-reason: closed without an answer, and version 1 cannot say why: '
                    . 'wrong key or none, command error or backend; see that daemon\'s log');
            }
        }

        private function readAnswer(): void
        {
            if ($this->written === 0) {
                $this->close();
                return;
            }
            if ($this->expected === 0 && !$this->readHeader()) {
                return;
            }
            if (strlen($this->input) < $this->expected) {
                return;
            }
            $chunk = self::firstChunk($this->input, strpos($this->input, ':', 3) + 1, $this->expected);
            if ($chunk === null) {
                $this->fail('garbage: not an answer of a dbsync daemon');
                return;
            }
            $delivery = array_shift($this->waiting);
            $delivery->answered = true;
            $delivery->chunk = $chunk === '' ? null : $chunk;
            $surplus = strlen($this->input) > $this->expected;
            $this->forgetAnswer();
            $this->lastUse = hrtime(true) / 1e9;
            if ($surplus || !$this->keepAlive) {
                $this->close();
            }
        }

        /** Sets `expected`; false: more bytes are needed, or the delivery has failed. */
        private function readHeader(): bool
        {
            $start = substr($this->input, 0, self::MAX_HEADER_BYTES);
            if (preg_match('/^ds:[ \t]*\+?(\d{1,10}):/', $start, $match) !== 1) {
                $length = strlen($start);
                if ($length === self::MAX_HEADER_BYTES || strncmp($start, 'ds:', min(3, $length)) !== 0) {
                    $this->fail('garbage: not an answer of a dbsync daemon');
                }
                return false;
            }
            if ((int) $match[1] > min(self::MAX_ANSWER_BYTES, self::room())) {
                $this->fail("garbage: announces an answer of $match[1] bytes, for which PHP has no room");
                return false;
            }
            $this->expected = strlen($match[0]) + (int) $match[1];
            self::$announced += $this->expected;
            return true;
        }

        /** Bytes an answer may have: it is held twice for a moment, and PHP ends scripts above the limit. */
        private static function room(): int
        {
            $limit = ini_get('memory_limit');
            $unit = ['k' => 1 << 10, 'm' => 1 << 20, 'g' => 1 << 30][strtolower(substr($limit, -1))] ?? 1;
            $left = (int) $limit < 0 ? PHP_INT_MAX : (int) $limit * $unit - memory_get_usage(true);
            return intdiv($left, 2) - self::$announced - self::SPARE_BYTES;
        }

        /** The first chunk of what is from `$at` to `$end`, less its NUL; '': "no value"; null: garbage. */
        private static function firstChunk(string $input, int $at, int $end): ?string
        {
            if ($end - $at === 1 && $input[$at] === "\0") {
                return '';
            }
            $first = null;
            for ($next = $at; $at < $end; $at = $next) {
                if (preg_match('/\G[a-z]+:(\d{1,10}):/', $input, $match, 0, $at) !== 1) {
                    return null;
                }
                $next = $at + strlen($match[0]) + (int) $match[1];
                if ((int) $match[1] === 0 || $next > $end || $input[$next - 1] !== "\0") {
                    return null;
                }
                $first = $first ?? substr($input, $at, $next - 1 - $at);
            }
            return $first;
        }
    }

    /** The calls: settings, signing, and the one loop that drives every daemon's connection. */
    final class Dbsync
    {
        private const CALL_SECONDS = 3.0;
        /** After the first "no value" others may still have one. */
        private const MISS_LINGER_SECONDS = 0.05;
        /** When the script ends, daemons that were slower than the first still get their commands. */
        private const LAST_DELIVERY_SECONDS = 0.2;
        private const MAX_COMMAND_BYTES = 64 * 1024 * 1024;
        private const DEFAULT_PORT = 1111;

        public static ?string $error = null;
        /** @var DbsyncDaemon[] by address */
        private static array $daemons = [];
        /** @var string[]|null by name */
        private static ?array $settings = null;
        /** @var resource|OpenSSLAsymmetricKey|null */
        private static $key = null;
        private static int $process = 0;

        public static function send(string $command, ?string $servers): ?string
        {
            self::$error = null;
            self::leaveOtherProcess();
            try {
                $format = self::setting('format', 'php-dbsync');
                if ($format !== 'php-dbsync' && $format !== 'text') {
                    throw new DbsyncFailure("dbsync.format: \"$format\" is not \"php-dbsync\" or \"text\"");
                }
                $daemons = self::daemons($servers ?? self::setting('servers', '127.0.0.1:1111'));
                $frame = self::frame($command);
                $chunk = self::firstGood($daemons, $frame);
            } catch (DbsyncFailure $failure) {
                self::$error = $failure->getMessage();
                return null;
            }
            return $chunk === null || $format === 'php-dbsync' ? $chunk : explode(':', $chunk, 3)[2];
        }

        public static function reset(): void
        {
            self::leaveOtherProcess();
            self::finish();
            foreach (self::$daemons as $daemon) {
                $daemon->close();
            }
            self::$daemons = [];
            self::$settings = self::$key = self::$error = null;
        }

        /** Waits a moment for daemons that owe an answer: the original drops commands of who has left. */
        public static function finish(): void
        {
            $end = self::now() + self::LAST_DELIVERY_SECONDS;
            while (self::$process === getmypid() && self::now() < $end && self::pump($end)) {
                continue;
            }
        }

        /**
         * @param DbsyncDaemon[] $daemons
         * @return string|null  the first chunk that has a value; null if every daemon that answered has none
         * @throws DbsyncFailure  no daemon answered
         */
        private static function firstGood(array $daemons, string $frame): ?string
        {
            $end = self::now() + self::CALL_SECONDS;
            $deliveries = [];
            $keepAlive = !in_array(self::setting('keepalive', '1'), ['0', 'off', 'no', 'false'], true);
            foreach ($daemons as $daemon) {
                $daemon->keepAlive = $keepAlive;
                $daemon->probe();
                $daemon->deliver($deliveries[$daemon->address] = new DbsyncDelivery($frame, $end));
            }
            $missed = false;
            while (true) {
                $open = 0;
                foreach ($deliveries as $delivery) {
                    if ($delivery->chunk !== null) {
                        return $delivery->chunk;
                    }
                    $open += $delivery->settled() ? 0 : 1;
                    if ($delivery->answered && !$missed) {
                        $missed = true;
                        $end = min($end, self::now() + self::MISS_LINGER_SECONDS);
                    }
                }
                if ($missed && ($open === 0 || self::now() >= $end)) {
                    return null;
                }
                if ($open === 0) {
                    throw new DbsyncFailure(self::report($deliveries));
                }
                self::pump($end);
            }
        }

        /**
         * One turn: everything that is due now, or the first thing that happens before `$end`.
         * @return bool  whether a delivery is still open
         */
        private static function pump(float $end): bool
        {
            $read = $write = $none = [];
            $open = false;
            foreach (self::$daemons as $address => $daemon) {
                $daemon->tick(self::now());
                $open = $open || !$daemon->isIdle();
                $end = min($end, $daemon->nextDeadline() ?? $end);
                $read[$address] = $daemon->socketToRead();
                $write[$address] = $daemon->socketToWrite();
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
            foreach ($write as $address => $socket) {
                self::$daemons[$address]->onWritable();
            }
            foreach ($read as $address => $socket) {
                // A failed write closes the socket.
                if (self::$daemons[$address]->socketToRead() === $socket) {
                    self::$daemons[$address]->onReadable();
                }
            }
            return $open;
        }

        /** @param DbsyncDelivery[] $deliveries  all failed, by address */
        private static function report(array $deliveries): string
        {
            $lines = ['no daemon answered'];
            foreach ($deliveries as $address => $delivery) {
                $lines[] = "$address: $delivery->failure";
            }
            return implode("\n  ", $lines);
        }

        /** The bytes for every daemon: one signature, whatever their number. */
        private static function frame(string $command): string
        {
            if (trim($command, ' ') === '') {
                throw new DbsyncFailure('the command is empty');
            }
            if (strpos($command, "\0") !== false) {
                throw new DbsyncFailure('a command cannot hold a NUL byte');
            }
            if (strlen($command) > self::MAX_COMMAND_BYTES) {
                throw new DbsyncFailure('the command is longer than ' . self::MAX_COMMAND_BYTES . ' bytes');
            }
            $payload = "$command\0";
            $file = self::setting('signkey', '');
            if ($file !== '') {
                self::$key = self::$key ?? self::readKey($file);
                if (!openssl_sign($payload, $signature, self::$key, OPENSSL_ALGO_SHA256)) {
                    throw new DbsyncFailure("dbsync.signkey: $file: cannot sign: " . openssl_error_string());
                }
                $payload = 'ds:' . strlen($payload) . ":$payload$signature";
            }
            return 'ds:' . strlen($payload) . ":$payload";
        }

        /** @return resource|OpenSSLAsymmetricKey */
        private static function readKey(string $file)
        {
            if (!function_exists('openssl_sign')) {
                throw new DbsyncFailure('dbsync.signkey needs the openssl extension: install it');
            }
            $pem = @file_get_contents($file);
            if ($pem === false) {
                throw new DbsyncFailure("dbsync.signkey: $file: cannot be read by this user; does it exist?");
            }
            $key = openssl_pkey_get_private($pem, '');
            if ($key === false || (openssl_pkey_get_details($key)['type'] ?? null) !== OPENSSL_KEYTYPE_RSA) {
                throw new DbsyncFailure("dbsync.signkey: $file: no private RSA key without a passphrase");
            }
            return $key;
        }

        private static function setting(string $name, string $fallback): string
        {
            if (self::$settings === null) {
                self::$settings = [];
                foreach (['servers', 'signkey', 'format', 'keepalive'] as $each) {
                    $value = getenv('DBSYNC_' . strtoupper($each));
                    $value = $value === false ? get_cfg_var("dbsync.$each") : $value;
                    if (is_string($value)) {
                        self::$settings[$each] = trim($value);
                    }
                }
                // PHP makes an empty text of Off.
                if ((self::$settings['keepalive'] ?? '1') === '') {
                    self::$settings['keepalive'] = '0';
                }
            }
            $value = self::$settings[$name] ?? '';
            return $value === '' ? $fallback : $value;
        }

        /**
         * The daemons of a list, each with the connection it has; idle ones that nobody names are let go.
         * @return DbsyncDaemon[]
         */
        private static function daemons(string $servers): array
        {
            $named = [];
            foreach (array_filter(array_map('trim', explode(',', $servers)), 'strlen') as $server) {
                $daemon = self::daemon($server);
                $named[$daemon->address] = self::$daemons[$daemon->address] ?? $daemon;
            }
            if ($named === []) {
                throw new DbsyncFailure('dbsync.servers: names no server');
            }
            foreach (self::$daemons as $address => $daemon) {
                $daemon->tick(self::now());
                if (!isset($named[$address]) && $daemon->isIdle() && $daemon->socketToRead() === null) {
                    unset(self::$daemons[$address]);
                }
            }
            // Names last: connections to the others are on their way while PHP waits for the resolver.
            $isName = static fn (DbsyncDaemon $daemon): bool => $daemon->isName();
            $names = array_filter($named + self::$daemons, $isName);
            self::$daemons = array_diff_key($named + self::$daemons, $names) + $names;
            return $named;
        }

        private static function daemon(string $server): DbsyncDaemon
        {
            $isAddress = filter_var($server, FILTER_VALIDATE_IP, FILTER_FLAG_IPV6) !== false;
            $text = $isAddress ? "[$server]" : $server;
            $matches = preg_match('/^(?:\[(.+)\]|([^\s:\[\]\/]+))(?::(\d{1,5}))?$/', $text, $match);
            $port = isset($match[3]) ? (int) $match[3] : self::DEFAULT_PORT;
            $inBrackets = $match[1] ?? '';
            $isHost = $inBrackets === '' || filter_var($inBrackets, FILTER_VALIDATE_IP, FILTER_FLAG_IPV6);
            if ($matches !== 1 || !$isHost || $port < 1 || $port > 65535) {
                throw new DbsyncFailure("dbsync.servers: \"$server\" is not host, host:port or [IPv6]:port");
            }
            return new DbsyncDaemon($inBrackets !== '' ? $inBrackets : $match[2], $port);
        }

        /** A forked child must not touch its parent's connections. */
        private static function leaveOtherProcess(): void
        {
            if (self::$process !== getmypid()) {
                if (self::$process === 0) {
                    register_shutdown_function([self::class, 'finish']);
                }
                self::$process = getmypid();
                self::$daemons = [];
            }
        }

        private static function now(): float
        {
            return hrtime(true) / 1e9;
        }
    }
}
