<?php
/*
 * dbsync for PHP 7.4 and later, in one file: dbsync_send() and dbsync_reset() as php-dbsync's extension has
 * them, and dbsync_last_error(). Needs ext-openssl for signing, nothing else. Copy it, require it.
 * With a key commands go out as version 2 alone; daemons that know no other, as php-dbsync's own, need dbsync.versions.
 * Source: docs/protocol.md "Version 1", docs/protocol-v2.md; differences from the extension: docs/compatibility.md.
 *
 * Settings, from the environment or else from php.ini; read once, until dbsync_reset():
 *   DBSYNC_SERVERS    dbsync.servers    "10.0.0.1:1111, [fd00::2]:1111, db3.example"; default port 1111;
 *                                       none: 127.0.0.1:1111. Prefer addresses: PHP waits for names.
 *   DBSYNC_SIGNKEY    dbsync.signkey    private key file (RSA, PEM, no passphrase); none or empty: unsigned.
 *                                       Ed25519 with ext-sodium, for daemons of version 2 alone
 *   DBSYNC_VERSIONS   dbsync.versions   of what is signed: "2" (default); "1" for php-dbsync's daemons, and can be replayed
 *                                       by whoever sees it; "1,2": version 1 for whoever closes on version 2's hello.
 *                                       Of one server: dbsync1://10.0.0.1:1111
 *   DBSYNC_CLUSTER    dbsync.cluster    64 hexadecimal digits, as each daemon prints them: commands are for this
 *                                       cluster alone; none: for the one that the first daemon names
 *   DBSYNC_KEEPALIVE  dbsync.keepalive  0: a new connection for each call; else one for the script
 *   DBSYNC_FORMAT     dbsync.format     "php-dbsync" (as the extension: "redis:5:PONG") or "text" ("PONG")
 */
declare(strict_types=1);

/** Does nothing where the extension, or this file, is loaded already. */
if (!function_exists('dbsync_send')) {
    /**
     * Signs a command once, sends it to every daemon at once, returns the first good answer, within 3 s.
     * @param string|array $command  one line, cut at blanks by the daemon, no quoting; or a list of arguments (strings,
     *                               integers), which version 2 carries whatever they hold
     * @param string|null  $servers  instead of the configured ones
     * @return string|null  null: no value, or nobody answered; then dbsync_last_error() says why
     */
    function dbsync_send($command, ?string $servers = null): ?string
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

    /** RESP2, which version 2 is made of. */
    final class DbsyncResp
    {
        private const MAX_NESTING = 32;

        public static function bulk(string $bytes): string
        {
            return '$' . strlen($bytes) . "\r\n$bytes\r\n";
        }

        /** @param string[] $items  encoded */
        public static function list(array $items): string
        {
            return '*' . count($items) . "\r\n" . implode('', $items);
        }

        /** @param string[] $strings */
        public static function bulks(array $strings): string
        {
            return self::list(array_map([self::class, 'bulk'], $strings));
        }

        /** A frame around an array of strings. */
        public static function message(string ...$strings): string
        {
            $payload = self::bulks($strings);
            return 'ds2:' . strlen($payload) . ":$payload";
        }

        /**
         * The value at `$at`, which moves behind it: text of strings and integers, null, an array, or a
         * DbsyncFailure for an error.
         * @throws DbsyncFailure  the bytes are no value
         */
        public static function read(string $bytes, int &$at, int $nesting = 0)
        {
            $end = strpos($bytes, "\r\n", $at);
            $kind = $end === false ? '' : $bytes[$at];
            $line = $end === false ? '' : substr($bytes, $at + 1, $end - $at - 1);
            $at = $end + 2;
            if ($kind === '+' || ($kind === ':' && preg_match('/^-?\d+$/D', $line) === 1)) {
                return $line;
            }
            if ($kind === '-') {
                return new DbsyncFailure($line);
            }
            if (($kind === '$' || $kind === '*') && $line === '-1') {
                return null;
            }
            if ($kind === '$' && ctype_digit($line) && substr($bytes, $at + (int) $line, 2) === "\r\n") {
                $at += (int) $line + 2;
                return substr($bytes, $at - (int) $line - 2, (int) $line);
            }
            $isList = $kind === '*' && ctype_digit($line) && (int) $line <= strlen($bytes);
            if (!$isList || $nesting === self::MAX_NESTING) {
                throw new DbsyncFailure('no value');
            }
            $items = [];
            for ($left = (int) $line; $left > 0; $left--) {
                $items[] = self::read($bytes, $at, $nesting + 1);
            }
            return $items;
        }

        /** A reply as version 1 has it: elements joined by line feeds, null an empty line, nested ones flattened. */
        public static function text($reply): string
        {
            if ($reply instanceof DbsyncFailure) {
                return $reply->getMessage();
            }
            return is_array($reply) ? implode("\n", array_map([self::class, 'text'], $reply)) : (string) $reply;
        }
    }

    /** A private key: RSA for both versions, Ed25519 for version 2. */
    final class DbsyncKey
    {
        /** What stands in front of an Ed25519 key's 32 bytes: PKCS#8 and SubjectPublicKeyInfo, RFC 8410. */
        private const ED25519_PRIVATE = '302e020100300506032b657004220420';
        private const ED25519_PUBLIC = '302a300506032b6570032100';

        /** Its name in version 2: the SHA-256 of its public half (SubjectPublicKeyInfo). */
        public string $id;
        /** @var resource|OpenSSLAsymmetricKey|null */
        private $rsa = null;
        private string $ed25519 = '';

        /** @throws DbsyncFailure */
        public function __construct(string $file)
        {
            if (!function_exists('openssl_sign')) {
                throw new DbsyncFailure('dbsync.signkey needs the openssl extension: install it');
            }
            $pem = @file_get_contents($file);
            if ($pem === false) {
                throw new DbsyncFailure("dbsync.signkey: $file: cannot be read by this user; does it exist?");
            }
            $der = bin2hex(self::derOf($pem));
            if (strlen($der) === 96 && strpos($der, self::ED25519_PRIVATE) === 0) {
                if (!function_exists('sodium_crypto_sign_detached')) {
                    throw new DbsyncFailure("dbsync.signkey: $file: Ed25519 needs the sodium extension: install it");
                }
                $pair = sodium_crypto_sign_seed_keypair(hex2bin(substr($der, 32)));
                $this->ed25519 = sodium_crypto_sign_secretkey($pair);
                $public = hex2bin(self::ED25519_PUBLIC) . sodium_crypto_sign_publickey($pair);
            } else {
                $key = openssl_pkey_get_private($pem, '');
                $details = $key === false ? [] : openssl_pkey_get_details($key);
                if (($details['type'] ?? null) !== OPENSSL_KEYTYPE_RSA) {
                    throw new DbsyncFailure("dbsync.signkey: $file: no private RSA key without a passphrase");
                }
                $this->rsa = $key;
                $public = self::derOf($details['key']);
            }
            $this->id = hash('sha256', $public, true);
        }

        public function isForVersion1(): bool
        {
            return $this->rsa !== null;
        }

        public function sign(string $bytes): string
        {
            if ($this->rsa === null) {
                return sodium_crypto_sign_detached($bytes, $this->ed25519);
            }
            if (!openssl_sign($bytes, $signature, $this->rsa, OPENSSL_ALGO_SHA256)) {
                throw new DbsyncFailure('dbsync.signkey: cannot sign: ' . openssl_error_string());
            }
            return $signature;
        }

        private static function derOf(string $pem): string
        {
            $found = preg_match('/-----BEGIN [A-Z ]+-----([^-]*)-----END/', $pem, $match);
            return $found === 1 ? (string) base64_decode($match[1]) : '';
        }
    }

    /** The daemons' time as this process knows it, and the cluster that it speaks to: version 2. */
    final class DbsyncCluster
    {
        /** An envelope is dated at most this much later than the daemons' clock. */
        private const MAX_AHEAD_MS = 4000;
        private const MAX_SEQ = 65535;

        /** 32 bytes, or '' until the first daemon has named it. */
        public string $id = '';
        /** @var int[] milliseconds that a daemon's clock is ahead of ours, by address */
        private array $offsets = [];
        /** @var int[] the highest `at` and `seq` of what daemons have applied */
        private array $newest = [0, 0];
        /** @var int[] those of the last envelope */
        private array $used = [0, 0];

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

    /** A command and the bytes that carry it: one signature for each version, made when a daemon wants it. */
    final class DbsyncCommand
    {
        public ?DbsyncKey $key;
        public DbsyncCluster $cluster;
        /** Of the envelope, once there is one. */
        public string $id = '';
        /** @var string[] */
        private array $arguments;
        /** As version 1 has it. */
        private string $line;
        /** @var string[] by version */
        private array $frames = [];

        /** @param string|string[] $command */
        public function __construct($command, ?DbsyncKey $key, DbsyncCluster $cluster)
        {
            $this->arguments = is_array($command) ? $command : array_values(array_filter(explode(' ', $command), 'strlen'));
            $this->line = is_array($command) ? implode(' ', $command) : $command;
            $this->key = $key;
            $this->cluster = $cluster;
        }

        public function frame(int $version): string
        {
            return $this->frames[$version] = $this->frames[$version]
                ?? ($version === 1 ? $this->lineFrame() : $this->envelopeFrame());
        }

        /** Why version 1 cannot carry it; null: it can. */
        public function problemOfVersion1(): ?string
        {
            if ($this->key !== null && !$this->key->isForVersion1()) {
                return 'version 1 knows RSA keys only';
            }
            if ($this->arguments !== array_values(array_filter(explode(' ', $this->line), 'strlen'))) {
                return 'version 1 cuts commands at blanks, and this one has an argument that holds some, or is empty';
            }
            return strpos($this->line, "\0") === false ? null : 'version 1 cannot carry a NUL byte';
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
            $header = ['key', $this->key->id, 'cluster', $this->cluster->id];
            array_push($header, 'at', (string) $at, 'seq', (string) $seq, 'nonce', random_bytes(16));
            $body = DbsyncResp::list(
                [DbsyncResp::bulk('dbsync2'), DbsyncResp::bulks($header), DbsyncResp::bulks($this->arguments)]
            );
            $signed = "dbsync2\0command\0" . pack('J', strlen($body)) . $body;
            $this->id = hash('sha256', $signed, true);
            return DbsyncResp::message('command', $body, $this->key->sign($signed));
        }
    }

    /** A command on its way to one daemon. Settled when `failure` is set or `answered` is true. */
    final class DbsyncDelivery
    {
        public DbsyncCommand $command;
        /** By hrtime, in seconds. */
        public float $deadline;
        public bool $answered = false;
        /** The payload's first chunk, "redis:5:PONG"; null: no value. */
        public ?string $chunk = null;
        /** Stage and sentence. */
        public ?string $failure = null;
        /** Whether some bytes of the command were written, so that the daemon may execute it. */
        public bool $begun = false;
        /** Whether the daemon refused the command for its date alone. */
        public bool $misdated = false;

        public function __construct(DbsyncCommand $command, float $deadline)
        {
            $this->command = $command;
            $this->deadline = $deadline;
        }

        public function settled(): bool
        {
            return $this->answered || $this->failure !== null;
        }
    }

    /**
     * One daemon: a connection at most, and the deliveries that wait for it. One request is in flight at a
     * time, for the original daemon takes two frames in one segment for garbage. Nothing is sent twice, but for an envelope
     * behind a hello that was closed on, which a daemon knows again.
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
        /** `ds2:`, ten characters, a colon. */
        private const MAX_HEADER_BYTES = 15;

        /** Bytes of answers that are on their way, from all daemons together. */
        private static int $announced = 0;
        /** Set while the script ends: no answer to a hello can be waited for. */
        public static bool $leaving = false;

        public string $address;
        /** Whether the connection outlives an answer. */
        public bool $keepAlive = true;
        /** "1", "2" or "1,2": what may go out. */
        public string $versions = '2';
        /** The same, if its entry in the list says so; else ''. */
        private string $told;
        private string $host;
        private int $port;
        /** What it speaks: 1 or 2; 0 until a hello has told. */
        private int $version = 0;
        private string $hello = '';
        /** Whether it has closed on a hello, and is asked once more: it may just have been stopped. */
        private bool $closedHello = false;
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

        public function __construct(string $host, int $port, string $told)
        {
            $this->host = $host;
            $this->port = $port;
            $this->told = $told;
            $this->address = ($told === '' ? '' : "dbsync$told://")
                . (strpos($host, ':') === false ? $host : "[$host]") . ":$port";
        }

        /** @param string $versions  what may go out, unless its entry in the list says something else */
        public function deliver(DbsyncDelivery $delivery, string $versions): void
        {
            $this->versions = $this->told === '' ? $versions : $this->told;
            // Unsigned there is no other.
            if ($this->version === 0 && ($this->versions === '1' || $delivery->command->key === null)) {
                $this->version = 1;
            }
            if ($this->told === '2' && $delivery->command->key === null) {
                $delivery->failure = 'version: version 2 is always signed: set dbsync.signkey';
                return;
            }
            $problem = $this->version === 1 ? $delivery->command->problemOfVersion1() : null;
            if ($problem !== null) {
                $delivery->failure = "version-1: $problem";
                return;
            }
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
            $unsent = $this->waiting !== [] && $this->written < strlen($this->output());
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
                } elseif ($this->written > 0 && $this->version === 0) {
                    $this->fail('timeout: no answer to a hello in time; the command was not sent');
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
            $output = $this->output();
            $count = @fwrite($this->socket, $this->written === 0 ? $output : substr($output, $this->written));
            if ($count === false) {
                $this->fail('send: the connection broke while the command was sent');
                return;
            }
            $this->written += $count;
            if ($this->written > ($this->version === 0 ? strlen($this->hello) : 0)) {
                $this->waiting[0]->begun = true;
            }
        }

        /** What is being written: a hello as long as the daemon's version is open, else the first delivery. */
        private function output(): string
        {
            $command = $this->waiting[0]->command;
            if ($this->version === 0) {
                $hello = ['hello', '2', '', $command->cluster->id, (string) DbsyncCluster::clock(), '', 'client'];
                $this->hello = $this->hello ?: DbsyncResp::message(...$hello);
                // A hung daemon then has the command when it goes on; one of version 1 does not look behind a hello.
                $isSent = self::$leaving && $command->cluster->id !== '' && !$this->closedHello;
                return $this->hello . ($isSent ? $command->frame(2) : '');
            }
            return $command->frame($this->version);
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
            $this->hello = '';
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
            } elseif ($this->version === 0 && $this->input === '') {
                $this->close();
                $this->onClosedHello();
            } elseif ($this->version !== 1) {
                $this->fail('closed: the connection ended without an answer; see that daemon\'s log');
            } else {
                $this->fail('no-reason: closed without an answer, and version 1 cannot say why: '
                    . 'wrong key or none, command error or backend; see that daemon\'s log');
            }
        }

        /** It speaks version 1 only, or somebody would have it seem so; the connection is gone. */
        private function onClosedHello(): void
        {
            $isSure = $this->closedHello || ($this->versions === '1,2' && !$this->waiting[0]->begun);
            $this->closedHello = !$isSure;
            if ($isSure) {
                $this->speakVersion1('version: it closes on version 2\'s hello: it speaks version 1 only, has no room, or '
                    . 'somebody hides version 2 from you; if an older daemon is there on purpose, allow version 1: '
                    . 'dbsync.versions = 1, DBSYNC_VERSIONS=1, or dbsync1:// before its address (1,2: as each daemon can)');
            }
        }

        /** Goes on with version 1, the connection being new or free, if that is allowed; or fails what waits. */
        private function speakVersion1(string $failure): void
        {
            $waiting = $this->waiting;
            $this->waiting = [];
            foreach ($waiting as $delivery) {
                $problem = $delivery->command->problemOfVersion1();
                if ($this->versions === '1,2' && $problem === null) {
                    $this->version = 1;
                    $this->waiting[] = $delivery;
                } else {
                    $delivery->failure = $this->versions === '1,2' ? "version-1: $problem" : $failure;
                }
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
            $start = strpos($this->input, ':', strlen($this->tag())) + 1;
            if ($this->version === 1) {
                $chunk = self::firstChunk($this->input, $start, $this->expected);
                if ($chunk === null) {
                    $this->fail('garbage: not an answer of a dbsync daemon');
                    return;
                }
                $this->settle($chunk === '' ? null : $chunk);
                return;
            }
            try {
                $at = $start;
                $message = DbsyncResp::read($this->input, $at);
                if ($at !== $this->expected || !is_array($message)) {
                    throw new DbsyncFailure('no message');
                }
                $this->readMessage(array_pad($message, 7, ''));
            } catch (DbsyncFailure $failure) {
                $this->fail('garbage: not an answer of a dbsync daemon');
            }
        }

        /** A message of version 2. */
        private function readMessage(array $message): void
        {
            $command = $this->waiting[0]->command;
            $cluster = $command->cluster;
            [$name, $second] = $message;
            if (count(array_filter(array_slice($message, 0, 5), 'is_string')) < 5) {
                throw new DbsyncFailure('no strings');
            }
            if ($this->version === 0 && $name === 'hello') {
                $this->readHello($cluster, explode(' ', $second), $message[3], $message[4]);
            } elseif ($this->version === 2 && $name === 'result' && $second === $command->id) {
                $cluster->learn($this->address, $message[3], $message[4]);
                $reply = $message[5];
                $text = DbsyncResp::text($reply);
                $size = strlen($text) + 1;
                $error = $reply instanceof DbsyncFailure ? "command: $text" : null;
                $this->settle($reply === null || $reply === [] ? null : "redis:$size:$text", $error);
            } elseif ($this->version === 2 && $name === 'refused' && in_array($second, [$command->id, ''], true)) {
                [, , $code, $sentence, $clock, $effect] = $message;
                $cluster->learn($this->address, $clock);
                $this->waiting[0]->begun = $effect !== 'not-applied';
                $this->waiting[0]->misdated = $code === 'skew' || $code === 'too-old';
                $this->settle(null, "$code: $sentence");
            } else {
                throw new DbsyncFailure('no answer');
            }
        }

        /** @param string[] $versions */
        private function readHello(DbsyncCluster $cluster, array $versions, string $id, string $clock): void
        {
            $written = $this->written - strlen($this->hello);
            $rest = substr($this->input, $this->expected);
            $this->forgetAnswer();
            $this->closedHello = false;
            if (!in_array('2', $versions, true) && !$this->waiting[0]->begun) {
                // The stream is one of version 2 by now.
                $this->close();
                $this->speakVersion1('not-due: it has no keys, and takes nothing that is signed; start it with -s');
                return;
            }
            $cluster->id = $cluster->id === '' ? $id : $cluster->id;
            if ($id !== $cluster->id) {
                $this->fail('wrong-cluster: the daemon is of the cluster ' . bin2hex($id));
                return;
            }
            $cluster->learn($this->address, $clock);
            $this->version = 2;
            $this->written = $written;
            // The answer may have come with the hello.
            $this->input = $rest;
            if ($rest !== '') {
                $this->readAnswer();
            }
        }

        private function settle(?string $chunk, ?string $failure = null): void
        {
            $delivery = array_shift($this->waiting);
            $delivery->answered = $failure === null;
            $delivery->failure = $failure;
            $delivery->chunk = $failure === null ? $chunk : null;
            $surplus = strlen($this->input) > $this->expected;
            $this->forgetAnswer();
            $this->lastUse = hrtime(true) / 1e9;
            if ($surplus || !$this->keepAlive) {
                $this->close();
            }
        }

        private function tag(): string
        {
            return $this->version === 1 ? 'ds:' : 'ds2:';
        }

        /** Sets `expected`; false: more bytes are needed, or the delivery has failed. */
        private function readHeader(): bool
        {
            $start = substr($this->input, 0, self::MAX_HEADER_BYTES);
            $tag = $this->tag();
            if (preg_match("/^{$tag}[ \t]*\+?(\d{1,10}):/", $start, $match) !== 1) {
                $length = strlen($start);
                $wrong = strncmp($start, $tag, min(strlen($tag), $length)) !== 0;
                if ($length >= strlen($tag) + 11 || $wrong) {
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
        private static ?DbsyncKey $key = null;
        private static ?DbsyncCluster $cluster = null;
        private static int $process = 0;

        /** @param string|array $command */
        public static function send($command, ?string $servers): ?string
        {
            self::$error = null;
            self::leaveOtherProcess();
            try {
                $format = self::setting('format', 'php-dbsync');
                if ($format !== 'php-dbsync' && $format !== 'text') {
                    throw new DbsyncFailure("dbsync.format: \"$format\" is not \"php-dbsync\" or \"text\"");
                }
                $daemons = self::daemons($servers ?? self::setting('servers', '127.0.0.1:1111'));
                $chunk = self::firstGood($daemons, self::checked($command));
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
            self::$settings = self::$key = self::$cluster = self::$error = null;
        }

        /** Waits a moment for daemons that owe an answer: the original drops commands of who has left. */
        public static function finish(): void
        {
            $end = self::now() + self::LAST_DELIVERY_SECONDS;
            DbsyncDaemon::$leaving = true;
            while (self::$process === getmypid() && self::now() < $end && self::pump($end)) {
                continue;
            }
            DbsyncDaemon::$leaving = false;
        }

        /**
         * @param DbsyncDaemon[]  $daemons
         * @param string|string[] $command
         * @return string|null  the first chunk that has a value; null if every daemon that answered has none
         * @throws DbsyncFailure  no daemon answered
         */
        private static function firstGood(array $daemons, $command): ?string
        {
            $end = self::now() + self::CALL_SECONDS;
            $deliveries = self::deliver($daemons, $command, $end);
            $missed = $dated = false;
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
                if ($open === 0 && !$dated && self::wereMisdated($deliveries)) {
                    $deliveries = self::deliver($daemons, $command, $end);
                    $dated = true;
                } elseif ($open === 0) {
                    throw new DbsyncFailure(self::report($deliveries));
                }
                self::pump($end);
            }
        }

        /**
         * @param DbsyncDaemon[]  $daemons
         * @param string|string[] $given
         * @return DbsyncDelivery[] by address
         */
        private static function deliver(array $daemons, $given, float $end): array
        {
            $command = new DbsyncCommand($given, self::key(), self::cluster());
            $versions = self::versions();
            $keepAlive = !in_array(self::setting('keepalive', '1'), ['0', 'off', 'no', 'false'], true);
            $deliveries = [];
            foreach ($daemons as $daemon) {
                $daemon->keepAlive = $keepAlive;
                $daemon->probe();
                $daemon->deliver($deliveries[$daemon->address] = new DbsyncDelivery($command, $end), $versions);
            }
            return $deliveries;
        }

        /** Whether a new envelope is worth it, and safe: a clock was wrong, and nobody may execute the old one. */
        private static function wereMisdated(array $deliveries): bool
        {
            $begun = array_filter($deliveries, static fn (DbsyncDelivery $each): bool => $each->begun);
            return $begun === [] && array_filter(array_column($deliveries, 'misdated')) !== [];
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

        /**
         * @param mixed $command
         * @return string|string[]
         * @throws DbsyncFailure  it cannot be sent
         */
        private static function checked($command)
        {
            if (is_array($command)) {
                $command = array_map(static fn ($each) => is_int($each) ? (string) $each : $each, array_values($command));
            }
            $texts = is_array($command) ? $command : [$command];
            if (array_filter($texts, 'is_string') !== $texts) {
                throw new DbsyncFailure('a command is a string, or a list of strings and integers');
            }
            if (trim($texts[0] ?? '', ' ') === '') {
                throw new DbsyncFailure('the command is empty');
            }
            if (is_string($command) && strpos($command, "\0") !== false) {
                throw new DbsyncFailure('a command cannot hold a NUL byte, unless it is given as a list of arguments');
            }
            if (array_sum(array_map('strlen', $texts)) > self::MAX_COMMAND_BYTES) {
                throw new DbsyncFailure('the command is longer than ' . self::MAX_COMMAND_BYTES . ' bytes');
            }
            return $command;
        }

        /** What may go out, unless a server's entry says something else. */
        private static function versions(): string
        {
            $versions = str_replace(' ', '', self::setting('versions', ''));
            $known = ['' => '2', '2' => '2', '1' => '1', '1,2' => '1,2', '2,1' => '1,2'][$versions] ?? null;
            if ($known === null) {
                throw new DbsyncFailure("dbsync.versions: \"$versions\" is not \"2\", \"1\" or \"1,2\"");
            }
            if ($versions === '2' && self::key() === null) {
                throw new DbsyncFailure('dbsync.versions: version 2 is always signed: set dbsync.signkey');
            }
            return $known;
        }

        private static function key(): ?DbsyncKey
        {
            $file = self::setting('signkey', '');
            return self::$key = self::$key ?? ($file === '' ? null : new DbsyncKey($file));
        }

        private static function cluster(): DbsyncCluster
        {
            if (self::$cluster === null) {
                $id = self::setting('cluster', '');
                if (preg_match('/^([0-9a-f]{64})?$/Di', $id) !== 1) {
                    throw new DbsyncFailure("dbsync.cluster: \"$id\" is not 64 hexadecimal digits");
                }
                self::$cluster = new DbsyncCluster();
                self::$cluster->id = (string) hex2bin($id);
            }
            return self::$cluster;
        }

        private static function setting(string $name, string $fallback): string
        {
            if (self::$settings === null) {
                self::$settings = [];
                foreach (['servers', 'signkey', 'format', 'keepalive', 'versions', 'cluster'] as $each) {
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
            preg_match('/^(?:dbsync([12]?):\/\/)?(.*)$/is', $server, $parts);
            $isAddress = filter_var($parts[2], FILTER_VALIDATE_IP, FILTER_FLAG_IPV6) !== false;
            $text = $isAddress ? "[$parts[2]]" : $parts[2];
            $matches = preg_match('/^(?:\[(.+)\]|([^\s:\[\]\/]+))(?::(\d{1,5}))?$/', $text, $match);
            $port = isset($match[3]) ? (int) $match[3] : self::DEFAULT_PORT;
            $inBrackets = $match[1] ?? '';
            $isHost = $inBrackets === '' || filter_var($inBrackets, FILTER_VALIDATE_IP, FILTER_FLAG_IPV6);
            if ($matches !== 1 || !$isHost || $port < 1 || $port > 65535) {
                throw new DbsyncFailure("dbsync.servers: \"$server\" is not host, host:port or [IPv6]:port");
            }
            return new DbsyncDaemon($inBrackets !== '' ? $inBrackets : $match[2], $port, $parts[1]);
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
