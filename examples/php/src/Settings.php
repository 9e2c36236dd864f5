<?php
declare(strict_types=1);

namespace Dbsync;

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
 *   policy     the rule by which a call returns, such as "first" (Policy)
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
            throw new Failure("dbsync.ca: $this->ca: cannot be read by this user; does it exist?");
        }
        $this->keepAlive = !in_array($options['keepalive'] ?? true, [false, 0, '', '0', 'off', 'no', 'false'], true);
        $format = self::text($options, 'format') ?: 'php-dbsync';
        if ($format !== 'php-dbsync' && $format !== 'text') {
            throw new Failure("dbsync.format: \"$format\" is not \"php-dbsync\" or \"text\"");
        }
        $this->isText = $format === 'text';
        $this->policy = new Policy($options['policy'] ?? 'first');
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

    private static function text(array $options, string $name): string
    {
        $value = $options[$name] ?? '';
        if (!is_string($value)) {
            throw new Failure("the option $name is a text");
        }
        return $value;
    }
}
