<?php
declare(strict_types=1);

// A guest book in plain PHP. Its entries and its sessions are in dbsync: the servers and the key come from php.ini (dbsync.servers,
// dbsync.signkey) or from DBSYNC_SERVERS and DBSYNC_SIGNKEY.

require dirname(__DIR__) . '/vendor/autoload.php';

const ENTRIES_MAX = 100;
const SHOWN = 10;

/** Adds an entry and deletes the oldest ones in one step. @return int the number of entries with this name */
function sign(string $name, string $text): int
{
    $entry = json_encode(['name' => $name, 'text' => $text], JSON_THROW_ON_ERROR);
    $commands = [['LPUSH', 'guests', $entry], ['LTRIM', 'guests', 0, ENTRIES_MAX - 1], ['HINCRBY', 'guests:count', $name, 1]];
    return dbsync_multi($commands)[2];
}

/** Returns a text as HTML. */
function html(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE);
}

try {
    // Requests of the same session wait for each other for at most 10 s.
    session_set_save_handler(new Dbsync\Sessions(new Dbsync\Client(), ['lock' => 10]));
    session_start(['cookie_httponly' => true, 'cookie_samesite' => 'Lax', 'use_strict_mode' => true]);
    if ($_SERVER['REQUEST_METHOD'] === 'POST') {
        $_SESSION['name'] = substr(trim((string) ($_POST['name'] ?? '')), 0, 60) ?: 'a guest';
        $_SESSION['count'] = sign($_SESSION['name'], substr((string) ($_POST['text'] ?? ''), 0, 500));
    }
    $entries = dbsync_call(['LRANGE', 'guests', 0, SHOWN - 1]);
    [$name, $count] = [$_SESSION['name'] ?? '', $_SESSION['count'] ?? 0];
    session_write_close();
} catch (Dbsync\Failure $failure) {
    // The message names each daemon, so it is written to the log only. After a failed write, the entry may be in the
    // book or not.
    error_log($failure->getMessage());
    http_response_code(503);
    exit("The guest book cannot be reached. Reload the page to see whether your entry is in it.\n");
}
?>
<!doctype html>
<html lang="en">
<title>Guest book</title>
<form method="post">
<label>Name <input name="name" value="<?= html($name) ?>"></label>
<label>Text <input name="text" required></label>
<button>Sign</button>
</form>
<p>Your entries: <?= $count ?></p>
<ul>
<?php foreach ($entries as $entry): ['name' => $from, 'text' => $text] = json_decode($entry, true); ?>
<li><?= html($from) ?>: <?= html($text) ?></li>
<?php endforeach ?>
</ul>
</html>
