<?php
declare(strict_types=1);

namespace Dbsync;

/**
 * One daemon, with at most one connection, and the deliveries that wait for it. One request is in flight at a time.
 * An unexpected answer closes the connection.
 */
final class Daemon
{
    /** The remedies for refusals whose sentence contains none. */
    private const CURES = [
        'unknown-key' => ' Add the key (dbsync keys add), or configure one that the daemon accepts (dbsync.signkey).',
        'revoked' => ' Make a new pair (dbsync-keygen), and add it (dbsync keys add).',
        'malformed' => ' The daemon\'s log contains the reason: a command may be longer than it accepts (--max-request-bytes).',
        'out-of-memory' => ' Delete data that you do not need, or raise this limit.',
        'database-down' => ' See the daemon\'s log, and start its database.',
    ];

    /** The beginning of the refusal that a port of a daemon for another protocol sends, and the remedy. */
    private const OTHER_PORT = 'this port serves ';
    private const OTHER_PORT_CURE = '; specify the daemon\'s --port instead, which is 1111 by default';

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

    public function __construct(Server $server, string $authorities, string $versions)
    {
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
            $hello = ['hello', '2', '', $cluster, (string) Cluster::clock(), '', 'client'];
            if ($command->key === null) {
                array_push($hello, '0', 'unsigned');
            }
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
                $this->readMessage(array_pad($message, 9, ''));
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
        [$name, $second] = $message;
        if (count(array_filter(array_slice($message, 0, 5), 'is_string')) < 5) {
            throw new Failure('no strings');
        }
        if ($this->version === 0 && $name === 'hello') {
            $this->readHello($command, explode(' ', $second), $message);
        } elseif ($this->version === 2 && $name === 'result' && $second === $command->id) {
            [, , , $clock, $newest, $reply, $flags] = $message;
            $command->cluster->learn($this->address, $clock, $newest);
            $delivery->error = $reply instanceof CommandError ? $reply : null;
            $delivery->reply = $delivery->error === null ? $reply : null;
            $delivery->isLate = is_string($flags) && in_array('late', explode(' ', $flags), true);
            $this->settle($delivery->error === null ? null : "command: $reply->reply");
        } elseif ($this->version === 2 && $name === 'refused' && in_array($second, [$command->id, ''], true)) {
            [, , $code, $sentence, $clock, $effect] = $message;
            $command->cluster->learn($this->address, $clock);
            $delivery->begun = $effect !== 'not-applied';
            $delivery->misdated = $code === 'skew' || $code === 'too-old';
            $this->settle("$code: $sentence" . (self::CURES[$code] ?? ''));
        } elseif ($this->version === 0 && $name === 'refused' && strpos($message[3], self::OTHER_PORT) === 0) {
            $this->fail("$message[2]: $message[3]" . self::OTHER_PORT_CURE);
        } else {
            throw new Failure('no answer');
        }
    }

    /**
     * @param string[] $versions
     * @param array    $message  hello, versions, daemon, cluster, clock, state, role, members, knows
     */
    private function readHello(Command $command, array $versions, array $message): void
    {
        [, , , $id, $clock, , , , $knows] = $message;
        $isSigned = $command->key !== null;
        $cluster = $command->cluster;
        $written = $this->written - strlen($this->hello);
        $rest = substr($this->input, $this->expected);
        $this->forgetAnswer();
        $this->closedHello = false;
        // A daemon without version 2 refuses an unsigned command that was sent after the hello, so the command can be
        // sent again as version 1.
        if (!in_array('2', $versions, true) && !($isSigned && $this->waiting[0]->begun)) {
            // The connection already uses version 2.
            $this->close();
            $this->speakVersion1($isSigned ? 'not-due: it has no keys, and accepts no signed commands; start it with -s'
                : 'version: it is an earlier release, and accepts unsigned commands only as version 1');
            return;
        }
        if (!$isSigned && !in_array('unsigned', explode(' ', is_string($knows) ? $knows : ''), true)) {
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
