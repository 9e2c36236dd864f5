<?php
declare(strict_types=1);

namespace Dbsync;

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
