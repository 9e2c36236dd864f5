<?php
/*
 * dbsync for PHP 7.4 and later: dbsync_send() and dbsync_reset() as in php-dbsync's extension, dbsync_last_error(),
 * and dbsync_call() and dbsync_multi(), which return typed replies. Requires only ext-openssl, for signing and TLS.
 * With a key, commands are sent only as version 2. Daemons that support only version 1, such as php-dbsync's, require
 * the setting dbsync.versions. Without a key, commands are sent unsigned, in the version that each daemon supports.
 * Settings are read once from the environment or php.ini, and again after dbsync_reset(): see class Dbsync\Settings.
 * Source: docs/php.md, docs/protocol.md, docs/protocol-v2.md; differences from the extension:
 * docs/compatibility.md.
 *
 * The classes are in these sections: errors, settings, keys and commands, connections and answers, calls, cache and
 * sessions. The functions are at the end.
 */
declare(strict_types=1);

namespace Dbsync {
    if (!function_exists('dbsync_send')) {
        // Errors

        /**
         * A call without an answer, or a command that could not be sent. The message states the failure, the daemon and the
         * remedy.
         */
        class Failure extends \RuntimeException
        {
            /** The number of daemons that have answered. */
            public int $answered = 0;
            /** 'not-applied' if no daemon has executed the command or can still do so, otherwise 'unknown'. */
            public string $effect = 'not-applied';

            public static function ofUnknownEffect(string $message): self
            {
                $failure = new self($message);
                $failure->effect = 'unknown';
                return $failure;
            }
        }

        /**
         * An error of the database, for example "WRONGTYPE …". Client::multi() returns it in place of the reply to a command
         * that failed.
         */
        final class CommandError extends Failure
        {
            /** The text of the error, without the names of the daemons. */
            public string $reply = '';

            public static function of(string $reply, string $message = ''): self
            {
                $error = new self($message === '' ? $reply : $message);
                $error->reply = $reply;
                $error->effect = 'unknown';
                return $error;
            }
        }

        // The interface of PSR-16 if psr/simple-cache is installed, otherwise an empty interface.
        if (interface_exists(\Psr\SimpleCache\CacheInterface::class)) {
            interface SimpleCache extends \Psr\SimpleCache\CacheInterface
            {
            }
        } else {
            interface SimpleCache
            {
            }
        }

        // The interface of PSR-16 if psr/simple-cache is installed, otherwise an empty interface.
        if (interface_exists(\Psr\SimpleCache\InvalidArgumentException::class)) {
            interface SimpleCacheFault extends \Psr\SimpleCache\InvalidArgumentException
            {
            }
        } else {
            interface SimpleCacheFault
            {
            }
        }

        /** A key or a lifetime that PSR-16 does not permit. */
        final class InvalidCacheKey extends \InvalidArgumentException implements SimpleCacheFault
        {
        }

        // Settings

        /**
         * The settings of a call. Each option comes from the call, otherwise from the client, the environment or php.ini:
         *   servers    DBSYNC_SERVERS    dbsync.servers    "10.0.0.1:1111, [fd00::2]:1111, dbsyncs://db3.example#sha256:…", or a list
         *   signkey    DBSYNC_SIGNKEY    dbsync.signkey    private key file (PEM, no passphrase); '': unsigned
         *   cluster    DBSYNC_CLUSTER    dbsync.cluster    64 hexadecimal digits; '': the cluster of the first daemon
         *   versions   DBSYNC_VERSIONS   dbsync.versions   "2", "1", or "1,2"
         *   ca         DBSYNC_CA         dbsync.ca         the authorities for daemons' certificates; '': those of the system
         *   keepalive  DBSYNC_KEEPALIVE  dbsync.keepalive  whether connections stay open after a call
         *   format     DBSYNC_FORMAT     dbsync.format     "php-dbsync" ("redis:5:PONG") or "text" ("PONG"), for send only
         * These options come only from the call or the client:
         *   timeout    seconds, up to 20 (3)
         *   policy     the rule by which a call returns, such as "first" (Policy); default: "first", or "majority" if the members of a
         *              list decide on the command
         *   db         number of the database (0)
         */
        final class Settings
        {
            private const FOUND = ['servers', 'signkey', 'cluster', 'versions', 'ca', 'keepalive', 'format'];
            private const CALL_SECONDS = 3.0;
            private const MAX_CALL_SECONDS = 20;
            private const MAX_DB = 2147483647;

            /** @var Server[] the servers by address */
            public array $servers;
            public string $signkey;
            public string $cluster;
            /** The permitted versions: "1", "2", "1,2", or '' if they are not configured. */
            public string $versions;
            public string $ca;
            public bool $keepAlive;
            public bool $isText;
            public float $timeout = self::CALL_SECONDS;
            public Policy $policy;
            public int $db;

            /**
             * @param array $options  the options of the call, which replace those of the client and the configured ones
             * @throws Failure  if an option is invalid; the message lists the valid values
             */
            public function __construct(array $options)
            {
                $this->servers = Server::list($options['servers'] ?? '127.0.0.1:1111');
                $this->signkey = self::text($options, 'signkey');
                $this->cluster = strtolower(self::text($options, 'cluster'));
                if (preg_match('/^([0-9a-f]{64})?$/D', $this->cluster) !== 1) {
                    throw new Failure("dbsync.cluster: \"{$options['cluster']}\" is not 64 hexadecimal digits");
                }
                $versions = str_replace(' ', '', self::text($options, 'versions'));
                $this->versions = ['' => '', '2' => '2', '1' => '1', '1,2' => '1,2', '2,1' => '1,2'][$versions] ?? '?';
                if ($this->versions === '?') {
                    throw new Failure("dbsync.versions: \"$versions\" is not \"2\", \"1\" or \"1,2\"");
                }
                $this->ca = self::text($options, 'ca');
                if ($this->ca !== '' && !is_readable($this->ca)) {
                    throw new Failure('dbsync.ca: ' . self::absolute($this->ca) . ': cannot be read by this user; does it exist?');
                }
                $this->keepAlive = !in_array($options['keepalive'] ?? true, [false, 0, '', '0', 'off', 'no', 'false'], true);
                $format = self::text($options, 'format') ?: 'php-dbsync';
                if ($format !== 'php-dbsync' && $format !== 'text') {
                    throw new Failure("dbsync.format: \"$format\" is not \"php-dbsync\" or \"text\"");
                }
                $this->isText = $format === 'text';
                $this->policy = new Policy($options['policy'] ?? null);
                $this->readNumbers($options);
            }

            private function readNumbers(array $options): void
            {
                $timeout = $options['timeout'] ?? null;
                if ($timeout !== null) {
                    $isNumber = is_int($timeout) || is_float($timeout);
                    if (!$isNumber || !($timeout > 0 && $timeout <= self::MAX_CALL_SECONDS)) {
                        throw new Failure('the option timeout is a number of seconds, above 0, at most ' . self::MAX_CALL_SECONDS);
                    }
                    $this->timeout = (float) $timeout;
                }
                $this->db = is_int($options['db'] ?? 0) ? $options['db'] ?? 0 : -1;
                if ($this->db < 0 || $this->db > self::MAX_DB) {
                    throw new Failure('the option db is a number from 0');
                }
            }

            /** Returns the settings of the environment and of php.ini. */
            public static function found(): array
            {
                $found = [];
                foreach (self::FOUND as $each) {
                    $value = getenv('DBSYNC_' . strtoupper($each));
                    $value = $value === false ? get_cfg_var("dbsync.$each") : $value;
                    // PHP converts Off to an empty string, which means "not set" for other settings.
                    if (is_string($value) && ($each === 'keepalive' || trim($value) !== '')) {
                        $found[$each] = strtolower($each) === 'keepalive' ? strtolower(trim($value)) : trim($value);
                    }
                }
                return $found;
            }

            /**
             * @param mixed $options  an array, or a string with the servers
             * @throws Failure  if an option does not exist
             */
            public static function given($options): array
            {
                $options = is_string($options) ? ['servers' => $options] : $options ?? [];
                $known = array_merge(self::FOUND, ['timeout', 'policy', 'db']);
                foreach (is_array($options) ? array_keys($options) : [''] as $name) {
                    if (!in_array($name, $known, true)) {
                        throw new Failure(is_array($options) ? "there is no option \"$name\"; the options are " . implode(', ', $known)
                            : 'options are an array, or a text that lists the servers');
                    }
                }
                return array_filter($options, static fn ($value): bool => $value !== null);
            }

            /** Returns the path that PHP tries for a file: a relative one begins in the folder of the process. */
            public static function absolute(string $file): string
            {
                $isAbsolute = preg_match('~^([/\\\\]|[A-Za-z]:|[a-z][a-z0-9+.-]*://)~', $file) === 1;
                return $isAbsolute ? $file : (getcwd() ?: '.') . "/$file";
            }

            private static function text(array $options, string $name): string
            {
                $value = $options[$name] ?? '';
                if (!is_string($value)) {
                    throw new Failure("the option $name is a text");
                }
                return $value;
            }
        }

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
                $name = $match[2] ?? '';
                $isNumeric = preg_match('/^[\d.]+$/D', $name) === 1;
                $isHost = $inBrackets !== ''
                    ? filter_var($inBrackets, FILTER_VALIDATE_IP, FILTER_FLAG_IPV6)
                    : !$isNumeric || filter_var($name, FILTER_VALIDATE_IP, FILTER_FLAG_IPV4);
                if ($matches !== 1 || !$isHost || $this->port < 1 || $this->port > self::MAX_PORT) {
                    throw new Failure("dbsync.servers: \"$entry\" is not host, host:port or [IPv6]:port, with TLS dbsyncs:// before it");
                }
                // Otherwise one server in two spellings would count as two for a policy.
                $this->host = $inBrackets !== '' ? (string) inet_ntop((string) inet_pton($inBrackets)) : strtolower($name);
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
                $list = $places = [];
                foreach (explode(',', implode(',', $texts)) as $entry) {
                    if (trim($entry) !== '') {
                        $server = new self(trim($entry));
                        $same = $places[$server->place()] ?? $server;
                        if ($same->address . $same->fragment() !== $server->address . $server->fragment()) {
                            throw new Failure("dbsync.servers: \"$entry\" is in the list in another form already");
                        }
                        $places[$server->place()] = $list[$server->address] = $same;
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

        /**
         * The rule by which a call returns:
         *   first      the first answer with a value; null if no daemon has returned a value after a short wait
         *   a number   this number of daemons have answered; the answers need not be equal. all: every daemon
         *   majority   more than half of all daemons gave the same answer
         *   all-equal  every daemon gave the same answer, as in php-dbsync
         * Except for `first`, a late answer does not count as an agreement: a daemon counts for only one of two mutually
         * exclusive commands.
         */
        final class Policy
        {
            /** @var string|int|null  null if the caller names no policy */
            private $name;

            /**
             * @param mixed $name  null: the caller names none
             * @throws Failure
             */
            public function __construct($name)
            {
                $isNumber = is_int($name) && $name > 0;
                if ($name !== null && !$isNumber && !in_array($name, ['first', 'majority', 'all', 'all-equal'], true)) {
                    throw new Failure('the option policy is "first", "majority", "all", "all-equal", or a number of daemons from 1');
                }
                $this->name = $name;
            }

            public function isFirst(): bool
            {
                return $this->name === 'first';
            }

            /**
             * Returns whether the members of a list may decide on a command with a condition. A caller that names another policy than
             * majority has chosen what an answer means.
             */
            public function permitsDecisions(): bool
            {
                return $this->name === null || $this->name === 'majority';
            }

            /**
             * Returns the policy by which a call returns.
             * @param Delivery[] $deliveries  those of one command
             */
            public function ruleFor(array $deliveries): self
            {
                return $this->name === null ? new self(reset($deliveries)->command->decides() ? 'majority' : 'first') : $this;
            }

            /**
             * @param Delivery[] $deliveries  one per daemon
             * @param bool  $isFinal     whether the decision must be based on the present answers
             * @return Delivery|null  the delivery whose answer or error is the result, or null if it is not decided yet
             */
            public function choose(array $deliveries, bool $isFinal): ?Delivery
            {
                $answers = array_values(array_filter($deliveries, static fn (Delivery $each): bool => $each->answered));
                $isFinal = $isFinal || self::open($deliveries) === 0;
                if ($this->name === 'first') {
                    return self::hit($answers) ?? ($isFinal ? $answers[0] ?? null : null);
                }
                if ($this->name === 'majority') {
                    return self::majority($deliveries);
                }
                $agreed = array_values(array_filter($answers, static fn (Delivery $each): bool => !$each->isLate));
                $needed = is_int($this->name) ? $this->name : count($deliveries);
                if (count($agreed) < $needed || ($this->name === 'all-equal' && !self::areEqual($agreed))) {
                    return null;
                }
                return self::hit($agreed) ?? $agreed[0];
            }

            /** Returns the text of the policy for messages. */
            public function text(): string
            {
                return (string) $this->name;
            }

            /** @param Delivery[] $deliveries */
            public static function open(array $deliveries): int
            {
                return count(array_filter($deliveries, static fn (Delivery $each): bool => !$each->settled()));
            }

            /** @param Delivery[] $answers */
            private static function hit(array $answers): ?Delivery
            {
                foreach ($answers as $answer) {
                    if (!$answer->isMiss()) {
                        return $answer;
                    }
                }
                return null;
            }

            /** @param Delivery[] $deliveries */
            private static function majority(array $deliveries): ?Delivery
            {
                $voices = array_values(array_filter(
                    $deliveries,
                    static fn (Delivery $each): bool => ($each->answered || $each->error !== null) && !$each->isLate,
                ));
                foreach ($voices as $voice) {
                    $agreeing = array_filter($voices, static fn (Delivery $each): bool => self::isSame($voice, $each));
                    if (2 * count($agreeing) > count($deliveries)) {
                        return $voice;
                    }
                }
                return null;
            }

            /** @param Delivery[] $answers */
            private static function areEqual(array $answers): bool
            {
                foreach ($answers as $answer) {
                    if (!self::isSame($answers[0], $answer)) {
                        return false;
                    }
                }
                return true;
            }

            /** Returns whether two daemons gave the same answer. Version 1 knows only texts. */
            private static function isSame(Delivery $one, Delivery $other): bool
            {
                if ($one->error !== null || $other->error !== null) {
                    return $one->error !== null && $other->error !== null && $one->error->reply === $other->error->reply;
                }
                if ($one->chunk !== null || $other->chunk !== null) {
                    return $one->text() === $other->text();
                }
                return self::isSameReply($one->reply, $other->reply);
            }

            /**
             * The text of a list joins its elements, so another reply may have the same text.
             *
             * @param mixed $one
             * @param mixed $other
             */
            private static function isSameReply($one, $other): bool
            {
                if ($one instanceof CommandError && $other instanceof CommandError) {
                    return $one->reply === $other->reply;
                }
                if (!is_array($one) || !is_array($other)) {
                    return $one === $other;
                }
                if (count($one) !== count($other)) {
                    return false;
                }
                foreach ($one as $index => $item) {
                    if (!self::isSameReply($item, $other[$index])) {
                        return false;
                    }
                }
                return true;
            }
        }

        /** The client of the dbsync_… functions, one per script. */
        final class Shared
        {
            /** The reason why the last dbsync_send() had no answer, or null. */
            public static ?string $error = null;
            private static ?Client $client = null;

            public static function client(): Client
            {
                return self::$client = self::$client ?? new Client();
            }

            /**
             * @param string|array      $command
             * @param array|string|null $options
             */
            public static function send($command, $options): ?string
            {
                self::$error = null;
                try {
                    return self::client()->send($command, $options);
                } catch (Failure $failure) {
                    self::$error = $failure->getMessage();
                    return null;
                }
            }
        }

        /** The memory that PHP may still use, according to memory_limit. */
        final class Memory
        {
            /** @return int  the number of bytes until the limit, or PHP_INT_MAX */
            public static function left(): int
            {
                $limit = ini_get('memory_limit');
                $unit = ['k' => 1 << 10, 'm' => 1 << 20, 'g' => 1 << 30][strtolower(substr($limit, -1))] ?? 1;
                return (int) $limit < 0 ? PHP_INT_MAX : (int) $limit * $unit - memory_get_usage(true);
            }
        }

        // Keys and commands

        /** A private key: RSA for both versions, Ed25519 for version 2. */
        final class Key
        {
            /** The bytes before the 32 bytes of an Ed25519 key in PKCS#8 and SubjectPublicKeyInfo (RFC 8410). */
            private const ED25519_PRIVATE = '302e020100300506032b657004220420';
            private const ED25519_PUBLIC = '302a300506032b6570032100';
            /** The identifier of keys that are only for RSA-PSS, in DER. */
            private const RSA_PSS = '06092a864886f70d01010a';
            private const MIN_RSA_BITS = 2048;
            private const NEW_PAIR = 'make a new pair: dbsync-keygen';

            /** The id of the key in version 2: the SHA-256 of its public key (SubjectPublicKeyInfo). */
            public string $id;
            /** @var resource|\OpenSSLAsymmetricKey|null */
            private $rsa = null;
            private string $ed25519 = '';

            /** @throws Failure */
            public function __construct(string $file)
            {
                if (!function_exists('openssl_sign')) {
                    throw new Failure('dbsync.signkey needs the openssl extension: install it');
                }
                $pem = is_dir($file) ? '' : @file_get_contents($file);
                if ($pem === false) {
                    throw new Failure('dbsync.signkey: ' . Settings::absolute($file) . ' ' . (file_exists($file) ? 'cannot be read. Grant read permission to the user that runs this program.' : 'does not exist. Correct the path, or make a pair of keys: dbsync-keygen'));
                }
                $block = self::block($file, $pem);
                $der = bin2hex(self::derOf($block));
                if (strlen($der) === 96 && strpos($der, self::ED25519_PRIVATE) === 0) {
                    if (!function_exists('sodium_crypto_sign_detached')) {
                        throw new Failure("dbsync.signkey: $file is an Ed25519 key, which needs the sodium extension: install it");
                    }
                    $pair = sodium_crypto_sign_seed_keypair(hex2bin(substr($der, 32)));
                    $this->ed25519 = sodium_crypto_sign_secretkey($pair);
                    $public = hex2bin(self::ED25519_PUBLIC) . sodium_crypto_sign_publickey($pair);
                } else {
                    $key = openssl_pkey_get_private($block, '');
                    $details = $key === false ? [] : openssl_pkey_get_details($key);
                    $problem = self::problemOf($block, $der, $details, self::shellWord($file));
                    if ($problem !== null) {
                        throw new Failure("dbsync.signkey: $file $problem");
                    }
                    $this->rsa = $key;
                    $public = self::derOf($details['key']);
                }
                $this->id = hash('sha256', $public, true);
            }

            /**
             * Returns the only PEM block of a file, which must be a private key.
             * @throws Failure
             */
            private static function block(string $file, string $pem): string
            {
                $text = preg_replace('/^\xef\xbb\xbf/', '', $pem);
                preg_match_all('/^-----BEGIN (?![^\r\n]* PARAMETERS-----)([^\r\n]{1,64}?)-----/m', $text, $labels);
                $labels = $labels[1];
                $problem = is_dir($file) ? 'is a folder instead of a file. Specify the private key file in it.' : self::problemOfForm($text, $labels, self::shellWord($file));
                if ($problem === null) {
                    $name = preg_quote($labels[0], '/');
                    if (preg_match("/^-----BEGIN $name-----.*?-----END $name-----/ms", $text, $match) !== 1) {
                        $problem = 'is damaged: its last line, which begins with -----END, is missing. Copy the file again, or ' . self::NEW_PAIR;
                    } elseif (strpos($match[0], "\n") === false) {
                        $problem = 'contains a PEM block without line breaks. Put -----BEGIN …----- and -----END …----- on lines of their own.';
                    }
                }
                if ($problem !== null) {
                    throw new Failure("dbsync.signkey: $file $problem");
                }
                return "$match[0]\n";
            }

            /**
             * @param string[] $labels  the labels of the PEM blocks
             * @param string $word  the file's name in a shell command
             * @return string|null  why the text is not that of a private key, or null
             */
            private static function problemOfForm(string $text, array $labels, string $word): ?string
            {
                $only = ' Specify the file of the private key.';
                $found = [
                    '/^$/D' => 'is empty. Copy the file again, or ' . self::NEW_PAIR,
                    '/-----BEGIN [^\r\n]{1,64}?-----\\\\n/' => 'contains the two characters \n instead of line breaks, as in an .env file. Replace them with line breaks.',
                ];
                $others = [
                    '/^(ssh-|ecdsa-sha2-|sk-)/' => 'contains an OpenSSH public key, which cannot sign. Specify the private file of the pair.',
                    '/^PuTTY-User-Key-File-/' => "is in PuTTY's own format. Convert it: puttygen $word -O private-openssh -o private.pem",
                    '/^0[\x81-\x84]/' => "is in binary form (DER) instead of PEM. Convert it: openssl pkey -inform DER -in $word -out private.pem",
                    '/^/' => 'contains no PEM block, which begins with a line "-----BEGIN …-----". Correct the path.',
                ];
                foreach ($labels === [] ? $found + $others : $found as $pattern => $problem) {
                    if (preg_match($pattern, $text) === 1) {
                        return $problem;
                    }
                }
                if (count($labels) > 1) {
                    return 'contains several PEM blocks (' . implode(', ', $labels) . '). Put the one to be used into a separate file.';
                }
                $blocks = [
                    '/^OPENSSH PRIVATE KEY$/D' => "is in OpenSSH's own format. Convert a copy: cp $word private.pem && ssh-keygen -p -m PKCS8 -f private.pem",
                    '/PUBLIC KEY$/D' => 'contains a public key, which cannot sign. Specify the private file of the pair.',
                    '/CERTIFICATE REQUEST$/D' => "contains a certificate request, but no private key.$only",
                    '/CERTIFICATE$/D' => "contains a certificate, but no private key.$only",
                    '/(?<!PRIVATE KEY)$/D' => "contains a \"$labels[0]\" instead of a private key. Correct the path.",
                ];
                foreach ($blocks as $pattern => $problem) {
                    if (preg_match($pattern, $labels[0]) === 1) {
                        return $problem;
                    }
                }
                return null;
            }

            /** Returns why a key cannot sign, or null. @param array $details  empty if OpenSSL could not read the key */
            private static function problemOf(string $block, string $der, array $details, string $word): ?string
            {
                if (preg_match('/ENCRYPTED/', $block) === 1) {
                    return "is encrypted, and this client takes no passphrase. Make a copy without one: openssl pkey "
                        . (self::needsLegacyProvider($block) ? '-provider legacy -provider default ' : '') . "-in $word -out private.pem";
                }
                if ($details === []) {
                    return 'is damaged: OpenSSL cannot read it. Copy the file again, or ' . self::NEW_PAIR;
                }
                $isPss = strpos(substr($der, 0, 128), self::RSA_PSS) !== false;
                if ($details['type'] !== OPENSSL_KEYTYPE_RSA || $isPss) {
                    $names = [OPENSSL_KEYTYPE_EC => 'ec', OPENSSL_KEYTYPE_DSA => 'dsa', OPENSSL_KEYTYPE_DH => 'dh'];
                    $name = $isPss ? 'rsa-pss' : $names[$details['type']] ?? 'unknown';
                    return "is a key of type $name; expected rsa or ed25519; " . self::NEW_PAIR;
                }
                if ($details['bits'] < self::MIN_RSA_BITS) {
                    return "is an RSA key of $details[bits] bits, and " . self::MIN_RSA_BITS . ' is the minimum that is safe; ' . self::NEW_PAIR;
                }
                $exponent = ltrim(bin2hex($details['rsa']['e']), '0');
                $shown = strlen($exponent) > 15 ? "0x$exponent" : (string) hexdec($exponent);
                return $exponent === '10001' ? null : "is an RSA key with the exponent $shown instead of 65537; " . self::NEW_PAIR;
            }

            /** Whether a block is encrypted with RC4, RC2 or DES, which OpenSSL 3 decrypts only with its legacy provider. */
            private static function needsLegacyProvider(string $block): bool
            {
                while (openssl_error_string() !== false) {
                    // Earlier errors are discarded.
                }
                openssl_pkey_get_private($block, 'unknown');
                for ($error = openssl_error_string(); $error !== false; $error = openssl_error_string()) {
                    if (strpos($error, 'unsupported') !== false) {
                        return true;
                    }
                }
                return false;
            }

            /** Quotes a file's name for a shell command, as the other clients do. */
            private static function shellWord(string $file): string
            {
                $word = strpos($file, '-') === 0 ? "./$file" : $file;
                return preg_match('/^[\w@%+=:,.\/-]+$/D', $word) === 1 ? $word : "'" . str_replace("'", "'\\''", $word) . "'";
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
                    throw Failure::ofUnknownEffect('dbsync.signkey: cannot sign: ' . openssl_error_string());
                }
                return $signature;
            }

            /** Returns the contents of a PEM text. */
            public static function derOf(string $pem): string
            {
                $found = preg_match('/-----BEGIN [A-Z ]+-----([^-]*)-----END/', $pem, $match);
                return $found === 1 ? (string) base64_decode($match[1]) : '';
            }
        }

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
            /** Whether the members of a list decide on it, if they decide at all. */
            private bool $mayDecide;
            /** Whether its envelope requests a decision of the members. */
            private bool $decides = false;
            /** The command line for version 1. */
            private string $line;
            /** @var string[] the encoded and signed forms by version */
            private array $frames = [];

            /**
             * @param string|string[]|string[][] $given  a line, which is split at spaces; a list of arguments; or with
             *   `$isMulti` several of these
             */
            public function __construct($given, bool $isMulti, ?Key $key, Cluster $cluster, Settings $settings)
            {
                $commands = $isMulti ? $given : [$given];
                $this->commands = array_map(static fn ($each) => is_array($each) ? $each : self::words($each), $commands);
                $this->line = is_array($commands[0]) ? implode(' ', $commands[0]) : $commands[0];
                $this->isMulti = $isMulti;
                $this->key = $key;
                $this->cluster = $cluster;
                $this->db = $settings->db;
                $this->mayDecide = $settings->policy->permitsDecisions() && !$isMulti && self::hasCondition($this->commands[0]);
            }

            /** Whether the members of a list have to decide on the envelope. It is false until the envelope is made. */
            public function decides(): bool
            {
                return $this->decides;
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

            /**
             * Returns whether a command writes only if a key is absent or present, and answers only whether this condition holds.
             * Source: protocol/implicit-condition.ts.
             * @param string[] $words
             */
            private static function hasCondition(array $words): bool
            {
                if (preg_match('/^(SET|[HM]?SETNX)$/iD', $words[0]) !== 1) {
                    return false;
                }
                $options = array_map('strtoupper', array_slice($words, 3));
                // With both options it is an error, and with GET it also answers the value.
                return strlen($words[0]) > strlen('SET')
                    || (!in_array('GET', $options, true) && in_array('NX', $options, true) !== in_array('XX', $options, true));
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
                $this->decides = $this->mayDecide && $this->cluster->isDeciding;
                if ($this->decides) {
                    array_push($header, 'decide', '1');
                }
                $body = Resp::list(
                    [Resp::bulk('dbsync2'), Resp::bulks($header), ...array_map([Resp::class, 'bulks'], $this->commands)]
                );
                $signed = "dbsync2\0command\0" . pack('J', strlen($body)) . $body;
                $this->id = hash('sha256', $signed, true);
                return Resp::message('command', $body, $this->key === null ? '' : $this->key->sign($signed));
            }
        }

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
            /** Whether one of its daemons has ever announced that the members of a list decide on conditions. */
            public bool $isDeciding = false;
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

            /** Returns whether a daemon has answered. */
            public function isKnown(): bool
            {
                return $this->offsets !== [];
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

        // Connections and answers

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

        /**
         * Decodes the array of an answer in steps. Between the steps other connections are served, and deadlines are checked.
         */
        final class RespReader
        {
            private const MAX_NESTING = 32;
            /** The maximum number of digits in a length. */
            private const MAX_DIGITS = 10;
            /** The maximum number of elements in an answer, including those of nested arrays. */
            private const MAX_ELEMENTS = 4194304;
            /** The number of elements that an error counts as, since an exception uses more memory than a string. */
            private const ERROR_ELEMENTS = 16;
            /** The number of elements per step, which takes about a millisecond. */
            private const STEP_ELEMENTS = 2048;
            /**
             * The bytes per element. A growing array exists twice for a moment, with 16 bytes per element in the old copy and
             * 32 in the new one.
             */
            private const GROWTH_BYTES = 32;
            /** The memory that stays free for the script. */
            private const SPARE_BYTES = 2 * 1024 * 1024;

            private string $bytes;
            private int $at;
            private int $end;
            private int $elements = 0;
            /** @var array[] the arrays that are being read, the innermost one last; the first one contains the message */
            private array $lists = [[]];
            /** @var int[] the number of missing elements of each array */
            private array $missing = [1];

            public function __construct(string $bytes, int $at, int $end)
            {
                $this->bytes = $bytes;
                $this->at = $at;
                $this->end = $end;
            }

            /**
             * Decodes up to STEP_ELEMENTS elements.
             * @return array|null  the message, which consists of strings, integers, nulls, arrays and CommandErrors; or null if
             *   it is incomplete
             * @throws Failure  if the bytes are not a message, or exceed PHP's memory limit
             */
            public function step(): ?array
            {
                $this->checkMemory();
                for ($left = self::STEP_ELEMENTS; $left > 0; $left--) {
                    while ($this->missing[count($this->missing) - 1] === 0) {
                        $list = array_pop($this->lists);
                        array_pop($this->missing);
                        if ($this->missing === []) {
                            return $this->message($list[0]);
                        }
                        $this->lists[count($this->lists) - 1][] = $list;
                    }
                    $this->missing[count($this->missing) - 1]--;
                    $this->readElement();
                }
                return null;
            }

            /** Adds an element to the innermost array, or begins a nested array. */
            private function readElement(): void
            {
                $end = strpos($this->bytes, "\r\n", $this->at);
                if ($end === false) {
                    throw new Failure('no value');
                }
                $kind = $this->bytes[$this->at];
                $line = substr($this->bytes, $this->at + 1, $end - $this->at - 1);
                $this->at = $end + 2;
                $this->elements += $kind === '-' ? self::ERROR_ELEMENTS : 1;
                if ($this->elements > self::MAX_ELEMENTS) {
                    throw new Failure('too many elements');
                }
                if ($kind === '*' && $line !== '-1') {
                    $this->beginList($line);
                } else {
                    $this->lists[count($this->lists) - 1][] = $this->scalar($kind, $line);
                }
            }

            /** @return string|int|CommandError|null */
            private function scalar(string $kind, string $line)
            {
                if ($kind === '+') {
                    return $line;
                }
                if ($kind === ':' && preg_match('/^-?\d{1,19}$/D', $line) === 1) {
                    return (int) $line;
                }
                if ($kind === '-') {
                    return CommandError::of($line);
                }
                if (($kind === '$' || $kind === '*') && $line === '-1') {
                    return null;
                }
                $start = $this->at;
                $length = $kind === '$' ? self::length($line) : -1;
                if ($length < 0 || substr($this->bytes, $start + $length, 2) !== "\r\n") {
                    throw new Failure('no value');
                }
                $this->at = $start + $length + 2;
                return substr($this->bytes, $start, $length);
            }

            private function beginList(string $line): void
            {
                $count = self::length($line);
                if ($count < 0 || $count > self::MAX_ELEMENTS - $this->elements || count($this->lists) > self::MAX_NESTING + 1) {
                    throw new Failure('no value, or too many elements');
                }
                $this->lists[] = [];
                $this->missing[] = $count;
            }

            /**
             * @return int  -1 for longer texts, which are not valid lengths; PHP would convert them to floating-point numbers
             */
            private static function length(string $line): int
            {
                $digits = strspn($line, '0123456789');
                return $digits > 0 && $digits <= self::MAX_DIGITS && $digits === strlen($line) ? (int) $line : -1;
            }

            /** @param mixed $message */
            private function message($message): array
            {
                if ($this->at !== $this->end || !is_array($message)) {
                    throw new Failure('no message');
                }
                return $message;
            }

            /** PHP aborts scripts above the limit. */
            private function checkMemory(): void
            {
                $needed = $this->elements * self::GROWTH_BYTES + self::SPARE_BYTES;
                if ($this->elements > 0 && Memory::left() < $needed) {
                    throw new Failure('no room');
                }
            }
        }

        /** Encodes RESP2, the format of version 2. */
        final class Resp
        {
            public static function bulk(string $bytes): string
            {
                return '$' . strlen($bytes) . "\r\n$bytes\r\n";
            }

            /** @param string[] $items  encoded items */
            public static function list(array $items): string
            {
                return '*' . count($items) . "\r\n" . implode('', $items);
            }

            /** @param string[] $strings */
            public static function bulks(array $strings): string
            {
                return self::list(array_map([self::class, 'bulk'], $strings));
            }

            /** Returns a frame with an array of strings. */
            public static function message(string ...$strings): string
            {
                $payload = self::bulks($strings);
                return 'ds2:' . strlen($payload) . ":$payload";
            }

            /**
             * Returns a reply in the form of version 1: the elements are joined by line feeds, null is an empty line, and
             * nested arrays are flattened.
             * @param mixed $reply
             */
            public static function text($reply): string
            {
                if ($reply instanceof CommandError) {
                    return $reply->reply;
                }
                return is_array($reply) ? implode("\n", array_map([self::class, 'text'], $reply)) : (string) $reply;
            }
        }

        /** Reads the answers of version 1. */
        final class Version1
        {
            /** The maximum number of chunks in an answer. A daemon sends one chunk for each of its databases. */
            private const MAX_CHUNKS = 1000;

            /** Returns the first chunk between `$at` and `$end`, without its NUL; '' for "no value"; null for garbage. */
            public static function firstChunk(string $input, int $at, int $end): ?string
            {
                if ($end - $at === 1 && $input[$at] === "\0") {
                    return '';
                }
                $first = null;
                $count = 0;
                for ($next = $at; $at < $end; $at = $next) {
                    if (++$count > self::MAX_CHUNKS || preg_match('/\G[a-z]+:(\d{1,10}):/', $input, $match, 0, $at) !== 1) {
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

        /**
         * One daemon, with at most one connection, and the deliveries that wait for it. One request is in flight at a time.
         * An unexpected answer closes the connection.
         */
        final class Daemon
        {
            /** The number of elements of a hello. */
            private const HELLO_ELEMENTS = 9;
            /** The beginning of the refusal that a port of a daemon for another protocol sends, and the remedy. */
            private const OTHER_PORT = 'this port serves ';
            private const OTHER_PORT_CURE = '; specify the daemon\'s --port instead, which is 1111 by default';
            /** The maximum bytes of a refusal's code and of its sentence; the remaining bytes are left out. */
            private const MAX_REFUSAL = 1000;

            /** Idle connections are closed after this time, because the original daemon closes them after 3 s. */
            private const IDLE_SECONDS = 2.5;
            /** The maximum number of waiting commands. Above it, a daemon does not receive the next command. */
            private const MAX_WAITING = 1000;
            private const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
            /** The memory that stays free, because PHP allocates memory in blocks of 2 MiB. */
            private const SPARE_BYTES = 2 * 1024 * 1024;
            /** The length of a header: `ds2:`, ten digits and a colon. */
            private const MAX_HEADER_BYTES = 15;

            /** The first bytes that a server with TLS sends to a client without TLS. */
            private const TLS_ALERT = "\x15\x03";
            private const TOO_BUSY = 'timeout: still busy with an earlier command; this one was not sent';

            /** The number of bytes of incomplete answers, from all daemons together. */
            private static int $announced = 0;

            public string $address;
            /** Whether the connection stays open after an answer. */
            public bool $keepAlive = true;
            /** Whether the script is ending, so that it cannot wait for the answer to a hello. */
            public bool $leaving = false;
            /** The permitted versions: "1", "2" or "1,2". */
            private string $versions;
            private int $others;
            /** The version of the daemon: 1 or 2, or 0 until its hello is known. */
            private int $version;
            private string $hello = '';
            /**
             * Whether the daemon has closed the connection after a hello. The client then sends a second hello, because the
             * daemon may be restarting.
             */
            private bool $closedHello = false;
            private Socket $socket;
            /** @var Delivery[] the waiting deliveries; the first one is in flight when `written` is above 0 */
            private array $waiting = [];
            private int $written = 0;
            private string $input = '';
            /** The length of the complete answer in bytes, or 0 until its header has arrived. */
            private int $expected = 0;
            /** The reader of an answer whose bytes have all arrived. */
            private ?RespReader $reader = null;
            private float $lastUse = 0.0;

            /** @param int $others  the number of other daemons to which commands are sent on connections like this one */
            public function __construct(Server $server, string $authorities, string $versions, int $others)
            {
                $this->others = $others;
                $this->address = $server->address;
                $this->socket = new Socket($server, $authorities);
                $this->versions = $versions;
                $this->version = $versions === '1' ? 1 : 0;
            }

            public function deliver(Delivery $delivery): void
            {
                $problem = $this->version === 1 ? $delivery->command->problemOfVersion1() : null;
                if ($problem !== null) {
                    $delivery->failure = "version-1: $problem";
                } elseif (count($this->waiting) >= self::MAX_WAITING) {
                    $delivery->failure = 'busy: ' . self::MAX_WAITING . ' earlier commands are still waiting for this daemon';
                } else {
                    $this->waiting[] = $delivery;
                }
            }

            public function isIdle(): bool
            {
                return $this->waiting === [];
            }

            public function isClosed(): bool
            {
                return $this->socket->isClosed();
            }

            public function isName(): bool
            {
                return $this->socket->isName();
            }

            /** @return resource|null */
            public function toRead()
            {
                return $this->reader === null ? $this->socket->toRead() : null;
            }

            /** @return resource|null */
            public function toWrite()
            {
                return $this->socket->toWrite($this->waiting !== [] && $this->written < strlen($this->output()));
            }

            public function nextDeadline(): ?float
            {
                return $this->waiting === [] ? null : min(array_column($this->waiting, 'deadline'));
            }

            /** Fails deliveries whose deadline has passed, and connects if other deliveries are waiting. */
            public function tick(float $now): void
            {
                if ($this->waiting === [] && $now - $this->lastUse > self::IDLE_SECONDS) {
                    $this->close();
                }
                while ($this->waiting !== [] && $this->waiting[0]->deadline <= $now) {
                    if (!$this->socket->isClosed() && !$this->socket->isOpen()) {
                        $this->fail('timeout: no connection in time; is the host up, or does a firewall drop its packets?');
                    } elseif ($this->written > 0 && $this->version === 0) {
                        $this->fail('timeout: no answer to a hello in time; the command was not sent');
                    } elseif ($this->written > 0) {
                        $this->fail('timeout: no answer in time; whether the command was executed is unknown');
                    } else {
                        $this->fail(self::TOO_BUSY);
                    }
                }
                foreach ($this->waiting as $place => $delivery) {
                    if ($delivery->deadline <= $now) {
                        $delivery->failure = self::TOO_BUSY;
                        unset($this->waiting[$place]);
                    }
                }
                $this->waiting = array_values($this->waiting);
                if ($this->waiting !== [] && $this->socket->isClosed()) {
                    $this->failAll($this->socket->open());
                }
            }

            /** Checks whether the daemon has closed an existing connection before it is used again. */
            public function probe(): void
            {
                if ($this->socket->isOpen() && $this->waiting === []) {
                    $this->onReadable();
                }
            }

            public function onWritable(): void
            {
                if (!$this->socket->isOpen() && !$this->opened()) {
                    return;
                }
                if ($this->waiting === []) {
                    return;
                }
                $count = $this->socket->write($this->output(), $this->written);
                if ($count === null) {
                    $this->fail('send: the connection broke while the command was sent');
                    return;
                }
                $this->written += $count;
                if ($this->written > ($this->version === 0 ? strlen($this->hello) : 0)) {
                    $this->waiting[0]->begun = true;
                }
            }

            public function onReadable(): void
            {
                if (!$this->socket->isOpen()) {
                    $this->opened();
                    return;
                }
                while ($this->socket->isOpen() && $this->reader === null && hrtime(true) / 1e9 < ($this->nextDeadline() ?? INF)) {
                    $bytes = $this->socket->read();
                    if ($bytes === null) {
                        $this->onEnd();
                    }
                    if ($bytes === null || $bytes === '') {
                        return;
                    }
                    $this->input .= $bytes;
                    $this->readAnswer();
                }
            }

            public function close(): void
            {
                $this->socket->close();
                $this->hello = '';
                $this->forgetAnswer();
            }

            /** Returns the bytes to write: a hello until the daemon's version is known, then the first delivery. */
            private function output(): string
            {
                $command = $this->waiting[0]->command;
                if ($this->version === 0) {
                    $cluster = $command->key === null ? '' : $command->cluster->id;
                    $hello = ['hello', '2', '', $cluster, (string) Cluster::clock(), '', 'client', (string) $this->others, ''];
                    $this->hello = $this->hello ?: Resp::message(...$hello);
                    // At the end of a script, the command follows the hello immediately, so that a hung daemon receives it when
                    // it resumes. A daemon of version 1 does not read beyond a hello.
                    $isSent = $this->leaving && $command->cluster->id !== '' && !$this->closedHello;
                    return $this->hello . ($isSent ? $command->frame(2) : '');
                }
                return $command->frame($this->version);
            }

            /** Performs the next step of opening the connection. @return bool  whether the connection is open */
            private function opened(): bool
            {
                $this->failAll($this->socket->advance());
                return $this->socket->isOpen();
            }

            private function forgetAnswer(): void
            {
                self::$announced -= $this->expected;
                $this->written = $this->expected = 0;
                $this->input = '';
                $this->reader = null;
            }

            /** Fails the first delivery. The connection cannot be used afterwards. */
            private function fail(string $failure): void
            {
                $this->close();
                array_shift($this->waiting)->failure = $failure;
            }

            /** @param string|null $failure  the failure, or null if there is none */
            private function failAll(?string $failure): void
            {
                if ($failure !== null) {
                    $this->close();
                }
                while ($failure !== null && $this->waiting !== []) {
                    $this->fail($failure);
                }
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
                    $this->fail('no-reason: closed without an answer, and version 1 cannot report the reason: '
                        . 'wrong key or none, command error or backend; see that daemon\'s log');
                }
            }

            /**
             * Handles a daemon that has closed the connection after a hello. Either the daemon supports only version 1, or an
             * attacker pretends that it does.
             */
            private function onClosedHello(): void
            {
                $isSure = $this->closedHello || ($this->versions === '1,2' && !$this->waiting[0]->begun);
                $this->closedHello = !$isSure;
                if ($isSure) {
                    $this->speakVersion1('version: it closes the connection on version 2\'s hello: it speaks only version 1, requires TLS (dbsyncs://), has no free connection, '
                        . 'or an attacker suppresses version 2; if this is an older daemon on purpose, allow version 1: '
                        . 'dbsync.versions = 1, DBSYNC_VERSIONS=1, or dbsync1:// before its address (1,2: the version that each daemon supports)');
                }
            }

            /**
             * Continues with version 1 on a new or idle connection if this is allowed. Otherwise fails all waiting
             * deliveries.
             */
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
                    $chunk = Version1::firstChunk($this->input, $start, $this->expected);
                    if ($chunk === null) {
                        $this->fail('garbage: not an answer of a dbsync daemon');
                        return;
                    }
                    $this->waiting[0]->chunk = $chunk === '' ? null : $chunk;
                    $this->settle(null);
                    return;
                }
                $this->reader = new RespReader($this->input, $start, $this->expected);
                $this->decode();
            }

            /** Returns whether an answer has arrived completely and is not decoded yet. */
            public function isDecoding(): bool
            {
                return $this->reader !== null;
            }

            /** Decodes a part of the answer. Between the parts, `tick` fails deliveries whose deadline has passed. */
            public function decode(): void
            {
                try {
                    $message = $this->reader->step();
                    if ($message !== null) {
                        $this->reader = null;
                        $this->readMessage($message);
                    }
                } catch (Failure $failure) {
                    $this->fail('garbage: not an answer of a dbsync daemon');
                }
            }

            /** Handles a message of version 2. */
            private function readMessage(array $message): void
            {
                $delivery = $this->waiting[0];
                $command = $delivery->command;
                $length = count($message);
                $message = array_pad($message, self::HELLO_ELEMENTS, '');
                [$name, $second] = $message;
                if (count(array_filter(array_slice($message, 0, 5), 'is_string')) < 5) {
                    throw new Failure('no strings');
                }
                if ($this->version === 0 && $name === 'hello') {
                    $versions = explode(' ', $second);
                    if ($length !== self::HELLO_ELEMENTS || !in_array('2', $versions, true)) {
                        $this->failAll('other-protocol: The daemon sent a hello with ' . $length . ' elements, for version '
                            . implode(' and ', $versions) . ', instead of ' . self::HELLO_ELEMENTS . ' for version 2: install the same version of dbsync on both sides.');
                        return;
                    }
                    $this->readHello($command, $message);
                } elseif ($this->version === 2 && $name === 'result' && $second === $command->id) {
                    [, , , $clock, $newest, $reply, $flags] = $message;
                    $command->cluster->learn($this->address, $clock, $newest);
                    $delivery->error = $reply instanceof CommandError ? $reply : null;
                    $delivery->reply = $delivery->error === null ? $reply : null;
                    $marks = is_string($flags) ? explode(' ', $flags) : [];
                    $delivery->isLate = in_array('late', $marks, true);
                    $delivery->isRecorded = in_array('provisional', $marks, true) || strpos($delivery->error->reply ?? '', 'TOOLONG ') === 0;
                    $this->settle($delivery->error === null ? null : "command: $reply->reply");
                } elseif ($this->version === 2 && $name === 'refused' && in_array($second, [$command->id, ''], true)) {
                    [, , $code, $sentence, $clock, $effect, $newest] = $message;
                    if (!is_string($newest)) {
                        throw new Failure('no string');
                    }
                    $command->cluster->learn($this->address, $clock, $newest);
                    $delivery->begun = $effect !== 'not-applied';
                    $delivery->misdated = $code === 'skew' || $code === 'too-old';
                    $this->settle(substr($code, 0, self::MAX_REFUSAL) . ': ' . substr($sentence, 0, self::MAX_REFUSAL));
                } elseif ($this->version === 0 && $name === 'refused' && strpos($message[3], self::OTHER_PORT) === 0) {
                    $this->fail("$message[2]: $message[3]" . self::OTHER_PORT_CURE);
                } elseif ($this->version === 0 && $name === 'refused' && $message[2] === 'other-protocol') {
                    $this->failAll("$message[2]: " . substr($message[3], 0, self::MAX_REFUSAL));
                } else {
                    throw new Failure('no answer');
                }
            }

            /**
             * @param array $message  hello, versions, daemon, cluster, clock, state, role, members, knows
             */
            private function readHello(Command $command, array $message): void
            {
                [, , , $id, $clock] = $message;
                $knows = explode(' ', is_string($message[8]) ? $message[8] : '');
                $isSigned = $command->key !== null;
                $cluster = $command->cluster;
                $written = $this->written - strlen($this->hello);
                $rest = substr($this->input, $this->expected);
                $this->forgetAnswer();
                $this->closedHello = false;
                if ($isSigned && !in_array('signed', $knows, true) && !$this->waiting[0]->begun) {
                    // The connection already uses version 2.
                    $this->close();
                    $this->speakVersion1('not-due: it has no keys, and accepts no signed commands; start it with -s');
                    return;
                }
                if (!$isSigned && !in_array('unsigned', $knows, true)) {
                    $this->failAll('unsigned: this daemon accepts only signed commands: specify the private key (dbsync.signkey, DBSYNC_SIGNKEY)');
                    return;
                }
                $cluster->id = $cluster->id === '' ? $id : $cluster->id;
                if ($isSigned && $id !== $cluster->id) {
                    $this->fail('wrong-cluster: the daemon belongs to the cluster ' . bin2hex($id) . '; configure the right one (dbsync.cluster, '
                        . 'DBSYNC_CLUSTER, the option cluster), and only daemons of this cluster');
                    return;
                }
                $cluster->learn($this->address, $clock);
                $cluster->isDeciding = $cluster->isDeciding || in_array('decisions', $knows, true);
                $this->version = 2;
                $this->written = $written;
                // The answer may have arrived together with the hello.
                $this->input = $rest;
                if ($rest !== '') {
                    $this->readAnswer();
                }
            }

            /** @param string|null $failure  the failure, or null if the daemon has answered */
            private function settle(?string $failure): void
            {
                $delivery = array_shift($this->waiting);
                $delivery->answered = $failure === null;
                $delivery->failure = $failure;
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

            /** Sets `expected`. Returns false if more bytes are needed, or if the delivery has failed. */
            private function readHeader(): bool
            {
                $start = substr($this->input, 0, self::MAX_HEADER_BYTES);
                $tag = $this->tag();
                if (preg_match("/^{$tag}[ \t]*\+?(\d{1,10}):/", $start, $match) !== 1) {
                    $length = strlen($start);
                    $wrong = strncmp($start, $tag, min(strlen($tag), $length)) !== 0;
                    if (strncmp($start, self::TLS_ALERT, strlen(self::TLS_ALERT)) === 0) {
                        $this->fail('tls: it accepts only TLS: write dbsyncs:// before its address');
                    } elseif ($length >= strlen($tag) + 11 || $wrong) {
                        $this->fail('garbage: not an answer of a dbsync daemon');
                    }
                    return false;
                }
                if ((int) $match[1] > min(self::MAX_ANSWER_BYTES, self::room())) {
                    $this->fail("garbage: announces an answer of $match[1] bytes, which exceeds PHP's memory limit");
                    return false;
                }
                $this->expected = strlen($match[0]) + (int) $match[1];
                self::$announced += $this->expected;
                return true;
            }

            /**
             * Returns the maximum size of an answer in bytes. For a moment an answer is stored twice, and PHP aborts scripts
             * above the limit.
             */
            private static function room(): int
            {
                return intdiv(Memory::left(), 2) - self::$announced - self::SPARE_BYTES;
            }
        }

        /** A command in flight to one daemon. It is settled when `failure` is set or `answered` is true. */
        final class Delivery
        {
            public Command $command;
            /** The deadline in seconds, on the clock of hrtime(). */
            public float $deadline;
            public bool $answered = false;
            /** @var mixed the answer of version 2: a string, an integer, null, or an array of these */
            public $reply = null;
            /** The answer of version 1, for example "redis:5:PONG", or null for no value or version 2. */
            public ?string $chunk = null;
            /** Whether the daemon received the command after a later one. A late answer does not count as an agreement. */
            public bool $isLate = false;
            /** The stage and the sentence of the failure. */
            public ?string $failure = null;
            /** The failure, if it is an error of the database. */
            public ?CommandError $error = null;
            /** Whether a command that has failed may still succeed, or has been executed. */
            public bool $isRecorded = false;
            /** Whether bytes of the command were written. The daemon may then execute it. */
            public bool $begun = false;
            /** Whether the daemon refused the command only because of its date. */
            public bool $misdated = false;

            public function __construct(Command $command, float $deadline)
            {
                $this->command = $command;
                $this->deadline = $deadline;
            }

            public function settled(): bool
            {
                return $this->answered || $this->failure !== null;
            }

            /** Returns whether the daemon may have executed the command, or may still do so. */
            public function mayBeApplied(): bool
            {
                return $this->error === null ? !$this->settled() || $this->answered || $this->begun : $this->isRecorded;
            }

            /** Returns the stage and the sentence for the error of a failed call. */
            public function outcome(): string
            {
                if ($this->settled()) {
                    return $this->failure ?? ($this->isLate ? 'answered late' : 'answered');
                }
                return 'not-awaited: the call had failed before it answered; '
                    . ($this->begun ? 'whether the command was executed is unknown' : 'it may still be sent');
            }

            public function isMiss(): bool
            {
                return $this->chunk === null && ($this->reply === null || $this->reply === []);
            }

            /** @return mixed  the reply with its type; version 1 has no types, so it is a string there */
            public function value()
            {
                return $this->chunk === null ? $this->reply : $this->text();
            }

            public function text(): ?string
            {
                if ($this->isMiss()) {
                    return null;
                }
                return $this->chunk === null ? Resp::text($this->reply) : explode(':', $this->chunk, 3)[2];
            }

            /** Returns the reply in the form of the extension: "redis:5:PONG". */
            public function withName(): ?string
            {
                $text = $this->chunk === null ? $this->text() : null;
                return $text === null ? $this->chunk : 'redis:' . (strlen($text) + 1) . ":$text";
            }
        }

        // Calls

        /**
         * Signs a command once, sends it to all daemons in parallel, and returns the first successful answer. It keeps the
         * connections open, and runs the event loop that serves them. Slower daemons receive their commands during later
         * calls, or shortly before the script ends.
         */
        final class Client
        {
            /** The time for which other daemons may still return a value after the first "no value". */
            private const MISS_LINGER_SECONDS = 0.05;
            /** The number of times that a command is signed. If daemons refuse more dates than that, their clocks are too different. */
            private const MAX_SIGNATURES = 4;
            /** The time at the end of a script in which slower daemons still receive their commands. */
            private const LAST_DELIVERY_SECONDS = 0.2;
            private const MAX_COMMAND_BYTES = 64 * 1024 * 1024;
            private const MAX_COMMANDS = 100000;

            private array $options;
            private ?array $found = null;
            /** @var Daemon[] the daemons, by all settings on which their connections depend */
            private array $daemons = [];
            /** @var Key[] the keys by their files */
            private array $keys = [];
            /** @var Cluster[] the clusters by the value of the option `cluster` */
            private array $clusters = [];
            private int $process = 0;
            /** Whether the wait for pending commands at the end of the script is over. */
            private bool $isFinished = true;

            /**
             * @param array|string|null $options  the options of all calls, see Settings; a string lists the servers
             * @throws Failure
             */
            public function __construct($options = null)
            {
                $this->options = Settings::given($options);
            }

            public function __destruct()
            {
                if (!$this->isFinished) {
                    $this->finish();
                }
            }

            /**
             * @param string|array      $command  a line, which is split at spaces without quoting; or a list of strings and integers
             *                                    with any content
             * @param array|string|null $options  the options of this call, see Settings
             * @return string|null  the reply as text, with the elements of a list separated by line feeds, or null if there is no value
             * @throws Failure
             */
            public function send($command, $options = null): ?string
            {
                $settings = $this->settings($options);
                $answer = $this->answer(self::checked($command), false, $settings);
                return $settings->isText ? $answer->text() : $answer->withName();
            }

            /**
             * @param string|array      $command  see send()
             * @param array|string|null $options
             * @return string|int|array|null  the reply with its type if the daemon uses version 2, otherwise its text
             * @throws CommandError  an error of the database
             * @throws Failure       if there is no answer
             */
            public function call($command, $options = null)
            {
                return $this->answer(self::checked($command), false, $this->settings($options))->value();
            }

            /**
             * Sends several commands as one unit with one signature. No other command is applied between them, and either all
             * of them are applied or none. As in Redis, a command that fails does not undo the rest. Requires version 2.
             * @param array[]|string[]  $commands
             * @param array|string|null $options
             * @return array  the reply to each command; for a failed command a CommandError
             * @throws CommandError  if none of the commands was applied
             * @throws Failure       if there is no answer
             */
            public function multi(array $commands, $options = null): array
            {
                if ($commands === [] || count($commands) > self::MAX_COMMANDS) {
                    throw new Failure('multi takes 1 to ' . self::MAX_COMMANDS . ' commands');
                }
                $checked = array_map([self::class, 'checked'], array_values($commands));
                $reply = $this->answer($checked, true, $this->settings($options))->value();
                if (!is_array($reply) || count($reply) !== count($checked)) {
                    throw Failure::ofUnknownEffect('the answer does not contain a reply for each command');
                }
                return $reply;
            }

            /** Returns whether the members of a list decide on conditions, or null if no daemon has answered yet. */
            public function decides(): ?bool
            {
                $cluster = $this->cluster($this->settings(null));
                return $cluster->isDeciding ?: ($cluster->isKnown() ? false : null);
            }

            /** @return string[]  the addresses of the daemons, in the order of the list */
            public function servers(): array
            {
                $servers = $this->settings(null)->servers;
                return array_map(static fn (Server $each): string => $each->address . $each->fragment(), array_values($servers));
            }

            /** Closes all connections. The next call reads settings and keys again. */
            public function reset(): void
            {
                $this->leaveOtherProcess();
                $this->finish();
                foreach ($this->daemons as $daemon) {
                    $daemon->close();
                }
                $this->daemons = $this->keys = $this->clusters = [];
                $this->found = null;
            }

            /**
             * Waits up to 0.2 s for pending answers, since the original drops the commands of a client that has disconnected.
             */
            public function finish(): void
            {
                $end = self::now() + self::LAST_DELIVERY_SECONDS;
                $this->tellLeaving(true);
                while ($this->process === getmypid() && self::now() < $end && $this->pump($end)) {
                    continue;
                }
                $this->tellLeaving(false);
                $this->isFinished = true;
            }

            private function tellLeaving(bool $leaving): void
            {
                foreach ($this->daemons as $daemon) {
                    $daemon->leaving = $leaving;
                }
            }

            /**
             * @param string|array $command  a valid command
             * @throws Failure
             */
            private function answer($command, bool $isMulti, Settings $settings): Delivery
            {
                $this->leaveOtherProcess();
                $this->isFinished = false;
                $daemons = $this->daemonsOf($settings);
                $end = self::now() + $settings->timeout;
                $deliveries = $this->deliver($daemons, $command, $isMulti, $settings, $end);
                $missed = false;
                $signatures = 1;
                while (true) {
                    $policy = $settings->policy->ruleFor($deliveries);
                    $chosen = $policy->choose($deliveries, $missed && self::now() >= $end);
                    if ($chosen !== null && $chosen->error === null) {
                        return $chosen;
                    }
                    $isOpen = $chosen === null && Policy::open($deliveries) > 0;
                    if (!$missed && $policy->isFirst() && array_filter(array_column($deliveries, 'answered')) !== []) {
                        $missed = true;
                        $end = min($end, self::now() + self::MISS_LINGER_SECONDS);
                    }
                    if (!$isOpen && $signatures < self::MAX_SIGNATURES && self::wereMisdated($deliveries)) {
                        $deliveries = $this->deliver($daemons, $command, $isMulti, $settings, $end);
                        $signatures++;
                    } elseif (!$isOpen) {
                        throw self::failure($deliveries, $policy, $chosen);
                    }
                    $this->pump($end);
                }
            }

            /**
             * @param Daemon[]     $daemons  by address
             * @param string|array $given
             * @return Delivery[] by address
             */
            private function deliver(array $daemons, $given, bool $isMulti, Settings $settings, float $end): array
            {
                $key = $this->key($settings);
                $command = new Command($given, $isMulti, $key, $this->cluster($settings), $settings);
                $deliveries = [];
                foreach (array_keys($settings->servers) as $address) {
                    $delivery = $deliveries[$address] = new Delivery($command, $end);
                    $daemon = $daemons[$address];
                    $daemon->keepAlive = $settings->keepAlive;
                    $daemon->probe();
                    $daemon->deliver($delivery);
                }
                return $deliveries;
            }

            /** Returns whether to send a new envelope: daemons refused the date of the old one, and none can execute it. */
            private static function wereMisdated(array $deliveries): bool
            {
                $begun = array_filter($deliveries, static fn (Delivery $each): bool => $each->begun);
                return $begun === [] && array_filter(array_column($deliveries, 'misdated')) !== [];
            }

            /**
             * Runs one turn of the event loop: handles all events that are due now, or waits for the next one until `$end`.
             * @return bool  whether a delivery is still pending
             */
            private function pump(float $end): bool
            {
                $read = $write = $none = [];
                $open = false;
                foreach ($this->daemons as $place => $daemon) {
                    $daemon->tick(self::now());
                    if ($daemon->isDecoding()) {
                        $daemon->decode();
                        $end = self::now();
                    }
                    $open = $open || !$daemon->isIdle();
                    $end = min($end, $daemon->nextDeadline() ?? $end);
                    $read[$place] = $daemon->toRead();
                    $write[$place] = $daemon->toWrite();
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
                foreach ($write as $place => $stream) {
                    $this->daemons[$place]->onWritable();
                }
                foreach ($read as $place => $stream) {
                    // A failed write closes the stream.
                    if ($this->daemons[$place]->toRead() === $stream) {
                        $this->daemons[$place]->onReadable();
                    }
                }
                return $open;
            }

            /**
             * @param Delivery[]    $deliveries  the deliveries by address, which do not meet the policy
             * @param Delivery|null $chosen      the delivery whose error is thrown, or null
             */
            private static function failure(array $deliveries, Policy $policy, ?Delivery $chosen): Failure
            {
                $answered = $late = 0;
                $error = $chosen === null ? null : $chosen->error;
                $lines = [];
                foreach ($deliveries as $address => $delivery) {
                    $answered += $delivery->answered ? 1 : 0;
                    $late += $delivery->isLate ? 1 : 0;
                    $lines[] = "\n  $address: " . $delivery->outcome();
                }
                $count = count($deliveries);
                $text = $answered === 0 ? 'No daemon answered:' : "$answered of $count daemons answered"
                    . ($late > 0 ? ", $late of them after a later command on the same keys" : '')
                    . ', which is not enough for the policy ' . $policy->text();
                $error = $error ?? ($answered === 0 ? array_values(array_filter(array_column($deliveries, 'error')))[0] ?? null : null);
                $text = ($error === null ? $text : $error->reply) . implode('', $lines);
                $failure = $error === null ? new Failure($text) : CommandError::of($error->reply, $text);
                $failure->answered = $answered;
                $isApplied = array_filter($deliveries, static fn (Delivery $each): bool => $each->mayBeApplied()) !== [];
                $failure->effect = $isApplied ? 'unknown' : 'not-applied';
                return $failure;
            }

            /**
             * @param mixed $command
             * @return string|string[]
             * @throws Failure  if the command cannot be sent
             */
            private static function checked($command)
            {
                if (is_array($command)) {
                    $command = array_map(static fn ($each) => is_int($each) ? (string) $each : $each, array_values($command));
                }
                $texts = is_array($command) ? $command : [$command];
                foreach ($texts as $place => $each) {
                    if (!is_string($each)) {
                        $type = gettype($each);
                        throw new Failure("a command is a string, or a list of strings and integers; the type of argument $place is $type");
                    }
                }
                if (trim($texts[0] ?? '', ' ') === '') {
                    throw new Failure('the command is empty');
                }
                if (is_string($command) && strpos($command, "\0") !== false) {
                    throw new Failure('a command cannot contain a NUL byte, unless it is a list of arguments');
                }
                if (array_sum(array_map('strlen', $texts)) > self::MAX_COMMAND_BYTES) {
                    throw new Failure('the command is longer than ' . self::MAX_COMMAND_BYTES . ' bytes');
                }
                return $command;
            }

            /** @param array|string|null $options */
            private function settings($options): Settings
            {
                $this->found = $this->found ?? Settings::found();
                return new Settings(Settings::given($options) + $this->options + $this->found);
            }

            private function key(Settings $settings): ?Key
            {
                $file = $settings->signkey;
                return $file === '' ? null : $this->keys[$file] = $this->keys[$file] ?? new Key($file);
            }

            private function cluster(Settings $settings): Cluster
            {
                $id = $settings->signkey === '' ? bin2hex(Cluster::NO_KEY) : $settings->cluster;
                return $this->clusters[$id] = $this->clusters[$id] ?? new Cluster((string) hex2bin($id));
            }

            /**
             * Returns the daemons of a call, with their existing connections. Closes idle connections to other daemons.
             * @return Daemon[] by address
             */
            private function daemonsOf(Settings $settings): array
            {
                $isSigned = $settings->signkey !== '';
                $named = $places = [];
                $others = count($settings->servers) - 1;
                foreach ($settings->servers as $address => $server) {
                    // Unsigned commands may use any version that a daemon supports.
                    $versions = $server->versions ?: $settings->versions ?: ($isSigned ? '2' : '1,2');
                    $place = implode(' ', [$address, $versions, $isSigned ? 'signed' : 'unsigned', $settings->cluster, $settings->ca, $server->fragment(), $others]);
                    $places[$place] = $named[$address] = $this->daemons[$place] ?? new Daemon($server, $settings->ca, $versions, $others);
                }
                foreach ($this->daemons as $place => $daemon) {
                    $daemon->tick(self::now());
                    if (!isset($places[$place]) && $daemon->isIdle() && $daemon->isClosed()) {
                        unset($this->daemons[$place]);
                    }
                }
                // Host names come last: the other connections are opened while PHP waits for the resolver.
                $names = array_filter($places + $this->daemons, static fn (Daemon $daemon): bool => $daemon->isName());
                $this->daemons = array_diff_key($places + $this->daemons, $names) + $names;
                return $named;
            }

            /** A forked child process must not use the connections of its parent. */
            private function leaveOtherProcess(): void
            {
                if ($this->process !== getmypid()) {
                    if ($this->process === 0) {
                        // When PHP destroys this object at its shutdown, objects that it needs may already be destroyed.
                        $client = \WeakReference::create($this);
                        register_shutdown_function(static function () use ($client): void {
                            if ($client->get() !== null) {
                                $client->get()->finish();
                            }
                        });
                    }
                    $this->process = getmypid();
                    $this->daemons = [];
                }
            }

            private static function now(): float
            {
                return hrtime(true) / 1e9;
            }
        }

        // Cache and sessions

        /**
         * A cache according to PSR-16, for PHP 8. If psr/simple-cache is installed, the class implements its interface. A
         * failed read is a miss and a failed write returns false, so that a page can always be built. lastError() returns the
         * reason. Requires daemons of version 2.
         */
        final class Cache implements SimpleCache
        {
            /** The maximum size of one envelope. */
            private const MAX_KEYS = 500;
            private const MAX_BYTES = 4 * 1024 * 1024;
            private const SCAN_COUNT = '1000';

            private Client $client;
            private string $prefix;
            private ?int $ttl;
            /** @var bool|string[] */
            private $classes;
            private ?string $error = null;

            /**
             * @param Client  $client  a client of all daemons
             * @param string  $prefix  the prefix of all keys; clear() removes the keys with this prefix
             * @param int|null  $ttl     the default lifetime of values in seconds, or null if they do not expire
             * @param bool|string[]  $classes the classes of objects that may be restored: all, none, or a list
             * @throws Failure
             */
            public function __construct(Client $client, string $prefix = 'cache:', ?int $ttl = null, $classes = true)
            {
                if ($prefix === '') {
                    throw new Failure('a cache needs a prefix: clear() removes all keys that begin with it');
                }
                [$this->client, $this->prefix, $this->ttl, $this->classes] = [$client, $prefix, $ttl, $classes];
            }

            /** Returns why the last call failed, or null if it succeeded. */
            public function lastError(): ?string
            {
                return $this->error;
            }

            /**
             * @param string $key
             * @param mixed  $default
             */
            public function get($key, $default = null): mixed
            {
                $this->error = null;
                $name = $this->name($key);
                return $this->value($this->attempt(fn () => $this->client->call(['GET', $name])), $default);
            }

            /**
             * @param string                 $key
             * @param mixed                  $value
             * @param int|\DateInterval|null $ttl
             */
            public function set($key, $value, $ttl = null): bool
            {
                return $this->setMultiple([self::checked($key) => $value], $ttl);
            }

            /** @param string $key */
            public function delete($key): bool
            {
                return $this->deleteMultiple([$key]);
            }

            /** @param string $key */
            public function has($key): bool
            {
                $this->error = null;
                $name = $this->name($key);
                return $this->attempt(fn () => $this->client->call(['EXISTS', $name])) === 1;
            }

            /**
             * @param iterable $keys
             * @param mixed    $default
             */
            public function getMultiple($keys, $default = null): iterable
            {
                $this->error = null;
                $keys = self::list($keys);
                $names = array_map([$this, 'name'], $keys);
                $values = [];
                foreach (array_chunk(array_combine($names, $keys), self::MAX_KEYS, true) as $some) {
                    $found = $this->attempt(fn () => $this->client->call(array_merge(['MGET'], array_map('strval', array_keys($some)))));
                    foreach (array_values($some) as $place => $key) {
                        $values[$key] = $this->value(is_array($found) ? $found[$place] ?? null : null, $default);
                    }
                }
                return $values;
            }

            /**
             * @param iterable  $values  the values by key
             * @param int|\DateInterval|null $ttl
             */
            public function setMultiple($values, $ttl = null): bool
            {
                $this->error = null;
                $seconds = $this->seconds($ttl);
                $commands = $names = [];
                foreach ($values as $key => $value) {
                    $names[] = $name = $this->name(is_int($key) ? (string) $key : $key);
                    $lasting = $seconds === null ? [] : ['EX', $seconds];
                    $commands[] = array_merge(['SET', $name, serialize($value)], $lasting);
                }
                if ($seconds !== null && $seconds <= 0) {
                    return $this->deleted($names);
                }
                $good = true;
                foreach (self::portions($commands) as $some) {
                    $replies = $this->attempt(fn () => count($some) === 1 ? [$this->client->call($some[0])] : $this->client->multi($some));
                    foreach ($replies ?? [null] as $reply) {
                        $this->error = $reply instanceof CommandError ? $reply->getMessage() : $this->error;
                        $good = $good && $reply === 'OK';
                    }
                }
                return $good;
            }

            /** @param iterable $keys */
            public function deleteMultiple($keys): bool
            {
                $this->error = null;
                return $this->deleted(array_map([$this, 'name'], self::list($keys)));
            }

            /** Removes all keys with the prefix. Each daemon removes the keys that it has. */
            public function clear(): bool
            {
                $this->error = null;
                $pattern = addcslashes($this->prefix, '*?[]\\^') . '*';
                $names = [];
                $good = true;
                foreach ($this->client->servers() as $server) {
                    $cursor = '0';
                    do {
                        $page = $this->attempt(fn () => $this->client->call(
                            ['SCAN', $cursor, 'MATCH', $pattern, 'COUNT', self::SCAN_COUNT],
                            ['servers' => $server]
                        ));
                        [$cursor, $some] = is_array($page) ? $page : ['0', []];
                        $names += array_fill_keys($some, true);
                        $good = $good && is_array($page);
                    } while ($cursor !== '0');
                }
                return $this->deleted(array_map('strval', array_keys($names))) && $good;
            }

            /** @param string[] $names */
            private function deleted(array $names): bool
            {
                $good = true;
                foreach (array_chunk($names, self::MAX_KEYS) as $some) {
                    $good = is_int($this->attempt(fn () => $this->client->call(array_merge(['DEL'], $some)))) && $good;
                }
                return $good;
            }

            /** @return mixed  null if no daemon answered; then `error` is set */
            private function attempt(callable $call)
            {
                try {
                    return $call();
                } catch (Failure $failure) {
                    $this->error = $failure->getMessage();
                    return null;
                }
            }

            /**
             * @param mixed $bytes
             * @param mixed $default
             * @return mixed
             */
            private function value($bytes, $default)
            {
                $value = is_string($bytes) ? @unserialize($bytes, ['allowed_classes' => $this->classes]) : false;
                return $value === false && $bytes !== 'b:0;' ? $default : $value;
            }

            /** @param int|\DateInterval|null $ttl */
            private function seconds($ttl): ?int
            {
                if ($ttl instanceof \DateInterval) {
                    $now = new \DateTimeImmutable();
                    return $now->add($ttl)->getTimestamp() - $now->getTimestamp();
                }
                if ($ttl !== null && !is_int($ttl)) {
                    throw new InvalidCacheKey('a lifetime is null, a number of seconds, or a DateInterval, not ' . gettype($ttl));
                }
                return $ttl ?? $this->ttl;
            }

            /** @param mixed $key */
            private function name($key): string
            {
                return $this->prefix . self::checked($key);
            }

            /** @param mixed $key */
            private static function checked($key): string
            {
                if (!is_string($key) || $key === '' || strpbrk($key, '{}()/\\@:') !== false) {
                    $shown = is_string($key) ? "\"$key\"" : gettype($key);
                    throw new InvalidCacheKey("$shown is no valid cache key: use a non-empty string without any of {}()/\\@:");
                }
                return $key;
            }

            /** @param mixed $keys */
            private static function list($keys): array
            {
                if (!is_iterable($keys)) {
                    throw new InvalidCacheKey('keys must be an array or another iterable, not ' . gettype($keys));
                }
                return is_array($keys) ? array_values($keys) : iterator_to_array($keys, false);
            }

            /** @return string[][][]  the commands, split into parts that fit into one envelope each */
            private static function portions(array $commands): array
            {
                $portions = [];
                $bytes = $count = 0;
                foreach ($commands as $command) {
                    $bytes += strlen($command[2]);
                    if ($count === 0 || $count >= self::MAX_KEYS || $bytes > self::MAX_BYTES) {
                        $portions[] = [];
                        [$bytes, $count] = [strlen($command[2]), 0];
                    }
                    $portions[count($portions) - 1][] = $command;
                    $count++;
                }
                return $portions;
            }
        }

        /**
         * A handler of PHP's sessions for session_set_save_handler(). Each session is a key that expires. A failed read or
         * write throws a Failure: if a failed read returned an empty session, PHP would overwrite the stored one. Requires
         * version 2. With `lock`, the requests of one session wait for each other. With three or more servers, the members of a
         * list of members decide which request has the lock. With two servers, a decision would need both of them, and no session
         * would start while one is down; there, and without a list of members, the first server that answers grants the lock. List
         * the servers in the same order everywhere then. If this server fails, two requests may have the lock for a moment.
         */
        final class Sessions implements \SessionHandlerInterface, \SessionUpdateTimestampHandlerInterface
        {
            private const LEASE_SECONDS = 60;
            /**
             * The share of the lease, and at least the seconds, before its end in which the owner can no longer be sure of the
             * lock, since clocks differ.
             */
            private const UNSURE_PART = 0.05;
            private const UNSURE_SECONDS = 0.3;
            private const RETRY_MS = [10, 60];
            /**
             * The timeout in seconds of a request for the lock to one daemon. A hung daemon delays a request only for this
             * time.
             */
            private const ASK_SECONDS = 0.5;
            /** The number of servers from which on a majority of them does not need all of them. */
            private const MIN_SERVERS_TO_DECIDE = 3;

            private Client $client;
            private string $prefix;
            private ?int $lifetime;
            private float $lock;
            private float $lease;
            private float $ask;
            /**
             * @var array|null the acquired lock: its name, the time until which it is certain, the server, and the number of the
             *   turn; without a server if the members have decided
             */
            private ?array $held = null;
            /**
             * @var array|null the value of the lock that the members may still give to this request, because their answer is
             *   missing, and the time until which it is certain
             */
            private ?array $open = null;

            /**
             * @param Client $client   a client of all daemons
             * @param array  $options  prefix: the prefix of the keys ("session:"); lifetime: the lifetime of a session in seconds
             *                         (session.gc_maxlifetime); lock: the maximum time in seconds for which a request waits for
             *                         another request of the same session (0: requests do not wait); lease: the time in
             *                         seconds after which the lock of a killed process ends, longer than any request takes
             *                         (60); ask: the time in seconds after which the next daemon is asked for the lock (0.5)
             * @throws Failure
             */
            public function __construct(Client $client, array $options = [])
            {
                $known = ['prefix' => 'session:', 'lifetime' => null, 'lock' => 0, 'lease' => self::LEASE_SECONDS, 'ask' => self::ASK_SECONDS];
                foreach (array_keys(array_diff_key($options, $known)) as $name) {
                    throw new Failure("sessions have no option \"$name\"; the options are " . implode(', ', array_keys($known)));
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
                    $this->acquire($id);
                }
                try {
                    if ($this->held !== null && $this->held[2] === null) {
                        return (string) $this->readOfMajority($id);
                    }
                    return (string) ($this->readWhereHeld($id) ?? $this->client->call(['GET', $this->prefix . $id]));
                } catch (Failure $failure) {
                    // PHP does not close a session that was not read.
                    $this->release();
                    throw $failure;
                }
            }

            /**
             * @param string $id
             * @param string $data
             */
            public function write($id, $data): bool
            {
                $this->client->call(['SET', $this->prefix . $id, $data, 'EX', $this->seconds()]);
                // The next request may read from another daemon.
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

            /** @param string $id  for session.use_strict_mode: PHP accepts only ids of existing sessions from a cookie */
            public function validateId($id): bool
            {
                return $this->client->call(['EXISTS', $this->prefix . $id]) === 1;
            }

            /**
             * @param string $id
             * @param string $data  the unchanged data
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

            /** @throws Failure  if another request holds the lock, or no daemon answers */
            private function acquire(string $id): void
            {
                $this->release();
                $this->open = null;
                $end = self::now() + $this->lock;
                do {
                    if ($this->triedByMembers("{$this->prefix}owner:$id", $failure) ?? $this->triedInOrder("{$this->prefix}lock:$id")) {
                        return;
                    }
                    usleep(1000 * random_int(...self::RETRY_MS));
                } while (self::now() < $end);
                throw $failure ?? new Failure("{$this->prefix}lock:$id: another request has locked this session for $this->lock s: shorten that request, or call"
                    . ' session_write_close() in it; if it was killed, the lock ends ' . $this->lease . ' s after its start');
            }

            /**
             * Tries to acquire the lock by a decision of the members. If their answer is missing, they may still decide; the lock then
             * has the value of this attempt, which only a decision can give to it.
             * @param Failure|null $failure  set to the reason if the members have not answered the attempt, otherwise to null
             * @return bool|null  null if the members do not decide on the lock
             * @throws Failure  if no daemon answers
             */
            private function triedByMembers(string $name, ?Failure &$failure): ?bool
            {
                $failure = null;
                if (count($this->client->servers()) < self::MIN_SERVERS_TO_DECIDE || $this->client->decides() === false) {
                    return null;
                }
                // The answer to the first call also shows whether the members decide.
                $value = $this->client->call(['GET', $name]);
                if ($this->client->decides() !== true) {
                    return null;
                }
                if ($this->open !== null && self::now() >= $this->open[1]) {
                    $this->open = null;
                }
                $attempt = $this->open ?? [bin2hex(random_bytes(16)), $this->sureUntil(self::now())];
                if ($value === null) {
                    $try = ['SET', $name, $attempt[0], 'PX', $this->leaseMs(), 'NX'];
                    try {
                        $value = $this->client->call($try, ['policy' => 'majority']) === 'OK' ? $attempt[0] : null;
                    } catch (CommandError $error) {
                        throw $error;
                    } catch (Failure $failure) {
                        $this->open = $failure->effect === 'unknown' ? $attempt : $this->open;
                    }
                }
                $this->held = $value === $attempt[0] ? [$name, $attempt[1], null, 0] : null;
                return $this->held !== null;
            }

            /** @throws Failure  if no daemon answers */
            private function triedInOrder(string $name): bool
            {
                $failure = null;
                foreach ($this->client->servers() as $server) {
                    try {
                        return $this->tried($name, $server);
                    } catch (CommandError $error) {
                        throw $error;
                    } catch (Failure $failure) {
                        continue;
                    }
                }
                throw $failure;
            }

            /**
             * Tries to acquire the lock for the next turn. Turns are numbered, and a request tries a number only after all
             * earlier turns have ended. A failed attempt may therefore still take effect later, but only for a number that
             * another request has already taken. The request has the lock if its attempt was the first one with this number on
             * this daemon, and was not late.
             * @throws Failure  if this daemon does not answer
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
                    // The policy is a number, so that a late answer does not count.
                    [$before, $changed] = $this->client->multi($try, ['servers' => $server, 'policy' => 1, 'timeout' => $this->ask]);
                } catch (Failure $failure) {
                    if ($failure->answered > 0) {
                        return false;
                    }
                    throw $failure;
                }
                $isOurs = $changed === 1 && is_array($before) && (int) $before[0] <= (int) $before[1];
                $this->held = $isOurs ? [$name, $this->sureUntil($sent), $server, $number] : null;
                return $isOurs;
            }

            /**
             * Reads from the daemon that granted the lock. It has the writes of the previous owner of the lock, because it
             * received them before the release.
             */
            private function readWhereHeld(string $id): ?string
            {
                try {
                    return $this->held === null ? null : $this->client->call(['GET', $this->prefix . $id], ['servers' => $this->held[2], 'timeout' => $this->ask]);
                } catch (Failure $failure) {
                    return null;
                }
            }

            /**
             * Reads what most daemons have. The members that decided on the lock are a majority, and have the writes of its previous
             * owner, because they received them before the release. A daemon that has them later may delay the agreement.
             * @throws Failure  if no majority agrees in time
             */
            private function readOfMajority(string $id): ?string
            {
                $end = min(self::now() + $this->lock, $this->held[1]);
                while (true) {
                    try {
                        return $this->client->call(['GET', $this->prefix . $id], ['policy' => 'majority', 'timeout' => $this->ask]);
                    } catch (Failure $failure) {
                        if ($failure instanceof CommandError || self::now() >= $end) {
                            throw $failure;
                        }
                        usleep(1000 * random_int(...self::RETRY_MS));
                    }
                }
            }

            private function release(): void
            {
                if ($this->held === null) {
                    return;
                }
                [$name, $until, $server, $number] = $this->held;
                $this->held = null;
                try {
                    if (self::now() < $until) {
                        $done = $server === null ? [['DEL', $name]] : [['ZADD', $name, 'GT', $number, 'released'], $this->lasting($name)];
                        // The release goes to every daemon, since the one that granted the lock may hang.
                        $this->client->multi($done);
                    }
                } catch (Failure $failure) {
                    // The lock ends with its lease.
                }
            }

            private function lasting(string $name): array
            {
                return ['PEXPIRE', $name, $this->leaseMs()];
            }

            /** Returns the time until which a lock is certain. @param float $from  when its request was sent, or earlier */
            private function sureUntil(float $from): float
            {
                return $from + $this->lease - max(self::UNSURE_PART * $this->lease, self::UNSURE_SECONDS);
            }

            private function leaseMs(): int
            {
                return (int) (1000 * $this->lease);
            }

            private static function now(): float
            {
                return hrtime(true) / 1e9;
            }
        }
    }
}

namespace {
    /** The functions are not defined again if the extension or the file dbsync.php is already loaded. */
    if (!function_exists('dbsync_send')) {
        /**
         * Signs a command once, sends it to all daemons in parallel, and returns the first successful answer within 3 s.
         * @param string|array      $command  one line, which the daemon splits at spaces without quoting; or a list of arguments
         *                                    (strings, integers), which may have any content with version 2
         * @param array|string|null $options  an array of options, see Dbsync\Settings; or a string that replaces the servers
         * @return string|null  null if there is no value or no answer; without an answer, dbsync_last_error() returns the reason
         */
        function dbsync_send($command, $options = null): ?string
        {
            return \Dbsync\Shared::send($command, $options);
        }

        /** Closes all connections. The next call reads the settings and the key again. */
        function dbsync_reset(): void
        {
            \Dbsync\Shared::client()->reset();
            \Dbsync\Shared::$error = null;
        }

        /**
         * Returns why the last dbsync_send() had no answer, with the address and the stage of every daemon, or null if
         * dbsync_send() had an answer.
         */
        function dbsync_last_error(): ?string
        {
            return \Dbsync\Shared::$error;
        }

        /**
         * Does the same as dbsync_send(), but returns typed replies: strings, integers, arrays and null. Throws errors
         * instead of using dbsync_last_error().
         * @param string|array      $command
         * @param string|array|null $options
         * @return string|int|array|null
         * @throws \Dbsync\CommandError  an error of the database
         * @throws \Dbsync\Failure       if there is no answer
         */
        function dbsync_call($command, $options = null)
        {
            return \Dbsync\Shared::client()->call($command, $options);
        }

        /**
         * Sends several commands as one unit, see Dbsync\Client::multi().
         * @param string|array|null $options
         * @return array  the reply to each command; for a failed command a Dbsync\CommandError
         * @throws \Dbsync\Failure
         */
        function dbsync_multi(array $commands, $options = null): array
        {
            return \Dbsync\Shared::client()->multi($commands, $options);
        }
    }
}
