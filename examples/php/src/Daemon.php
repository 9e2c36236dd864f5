<?php
declare(strict_types=1);

namespace Dbsync;

/**
 * One daemon: a connection at most, and the deliveries that wait for it. One request is in flight at a time, and an
 * answer to nothing that was asked ends the connection.
 */
final class Daemon
{
    /** What to do about refusals whose sentence does not say it. */
    private const CURES = [
        'unknown-key' => ' Let the key in (dbsync keys add), or name one that the daemon knows (dbsync.signkey).',
        'revoked' => ' Make a new pair (dbsync-keygen), and let it in (dbsync keys add).',
        'malformed' => ' The daemon\'s log says what is wrong: a command may be longer than it takes (--max-request-bytes).',
        'out-of-memory' => ' Delete what is not needed, or raise that.',
        'database-down' => ' See the daemon\'s log, and start its database.',
    ];

    /** The original daemon closes after 3 s of silence; a command must not meet that. */
    private const IDLE_SECONDS = 2.5;
    /** A daemon that is behind by more misses the next command. */
    private const MAX_WAITING = 1000;
    private const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
    /** PHP takes memory in pieces of 2 MiB. */
    private const SPARE_BYTES = 2 * 1024 * 1024;
    /** `ds2:`, ten characters, a colon. */
    private const MAX_HEADER_BYTES = 15;

    /** What who wants TLS says to who comes without. */
    private const TLS_ALERT = "\x15\x03";
    private const TOO_BUSY = 'timeout: still busy with an earlier command; this one was not sent';

    /** Bytes of answers that are on their way, from all daemons together. */
    private static int $announced = 0;

    public string $address;
    /** Whether the connection outlives an answer. */
    public bool $keepAlive = true;
    /** Set while the script ends: no answer to a hello can be waited for. */
    public bool $leaving = false;
    /** "1", "2" or "1,2": what may go out. */
    private string $versions;
    /** What it speaks: 1 or 2; 0 until a hello has told. */
    private int $version;
    private string $hello = '';
    /** Whether it has closed on a hello, and is asked once more: it may just have been stopped. */
    private bool $closedHello = false;
    private Socket $socket;
    /** @var Delivery[] the first one is in flight once `written` is above 0 */
    private array $waiting = [];
    private int $written = 0;
    private string $input = '';
    /** Bytes of the whole answer, or 0 while its header is unknown. */
    private int $expected = 0;
    /** Of an answer whose bytes are all there. */
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
            $delivery->failure = 'busy: ' . self::MAX_WAITING . ' earlier commands still wait for it';
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

    /** Gives up what is overdue, and connects if something waits. */
    public function tick(float $now): void
    {
        if ($this->waiting === [] && $now - $this->lastUse > self::IDLE_SECONDS) {
            $this->close();
        }
        while ($this->waiting !== [] && $this->waiting[0]->deadline <= $now) {
            if (!$this->socket->isClosed() && !$this->socket->isOpen()) {
                $this->fail('timeout: no connection in time; is the host up, does a firewall drop it?');
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

    /** Looks, before a kept connection is used, whether the daemon has closed it. */
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

    /** What is being written: a hello as long as the daemon's version is open, else the first delivery. */
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
            // A hung daemon then has the command when it goes on; one of version 1 does not look behind a hello.
            $isSent = $this->leaving && $command->cluster->id !== '' && !$this->closedHello;
            return $this->hello . ($isSent ? $command->frame(2) : '');
        }
        return $command->frame($this->version);
    }

    /** The connection's next step. @return bool  whether it carries bytes now */
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

    /** Settles the first delivery; the connection cannot be used after that. */
    private function fail(string $failure): void
    {
        $this->close();
        array_shift($this->waiting)->failure = $failure;
    }

    /** @param string|null $failure  null: there is none */
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
            $this->speakVersion1('version: it closes on version 2\'s hello: it speaks version 1 only, wants TLS (dbsyncs://), has no room, '
                . 'or somebody hides version 2 from you; if an older daemon is there on purpose, allow version 1: '
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

    /** Whether an answer is complete and not decoded yet. */
    public function isDecoding(): bool
    {
        return $this->reader !== null;
    }

    /** Decodes a part of the answer: `tick` gives up what becomes overdue meanwhile. */
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

    /** A message of version 2. */
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
        // Such a one does not take what was sent behind the hello, if it is not signed.
        if (!in_array('2', $versions, true) && !($isSigned && $this->waiting[0]->begun)) {
            // The stream is one of version 2 by now.
            $this->close();
            $this->speakVersion1($isSigned ? 'not-due: it has no keys, and takes nothing that is signed; start it with -s'
                : 'version: it is of an earlier version, and takes only version 1 without a signature');
            return;
        }
        if (!$isSigned && !in_array('unsigned', explode(' ', is_string($knows) ? $knows : ''), true)) {
            $this->failAll('unsigned: this daemon wants signed commands: name the private key (dbsync.signkey, DBSYNC_SIGNKEY)');
            return;
        }
        $cluster->id = $cluster->id === '' ? $id : $cluster->id;
        if ($isSigned && $id !== $cluster->id) {
            $this->fail('wrong-cluster: the daemon is of the cluster ' . bin2hex($id) . '; name the one that you mean (dbsync.cluster, '
                . 'DBSYNC_CLUSTER, the option cluster), and daemons of that one alone');
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

    /** @param string|null $failure  null: it was answered */
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

    /** Sets `expected`; false: more bytes are needed, or the delivery has failed. */
    private function readHeader(): bool
    {
        $start = substr($this->input, 0, self::MAX_HEADER_BYTES);
        $tag = $this->tag();
        if (preg_match("/^{$tag}[ \t]*\+?(\d{1,10}):/", $start, $match) !== 1) {
            $length = strlen($start);
            $wrong = strncmp($start, $tag, min(strlen($tag), $length)) !== 0;
            if (strncmp($start, self::TLS_ALERT, strlen(self::TLS_ALERT)) === 0) {
                $this->fail('tls: it takes TLS alone: write dbsyncs:// before its address');
            } elseif ($length >= strlen($tag) + 11 || $wrong) {
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
        return intdiv(Memory::left(), 2) - self::$announced - self::SPARE_BYTES;
    }
}
