<?php
declare(strict_types=1);

namespace Dbsync;

/** A private key: RSA for both versions, Ed25519 for version 2. */
final class Key
{
    /** The bytes before the 32 bytes of an Ed25519 key in PKCS#8 and SubjectPublicKeyInfo (RFC 8410). */
    private const ED25519_PRIVATE = '302e020100300506032b657004220420';
    private const ED25519_PUBLIC = '302a300506032b6570032100';

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
            throw new Failure("dbsync.signkey: $file: cannot be read by this user; does it exist?");
        }
        $der = bin2hex(self::derOf($pem));
        if (strlen($der) === 96 && strpos($der, self::ED25519_PRIVATE) === 0) {
            if (!function_exists('sodium_crypto_sign_detached')) {
                throw new Failure("dbsync.signkey: $file: Ed25519 needs the sodium extension: install it");
            }
            $pair = sodium_crypto_sign_seed_keypair(hex2bin(substr($der, 32)));
            $this->ed25519 = sodium_crypto_sign_secretkey($pair);
            $public = hex2bin(self::ED25519_PUBLIC) . sodium_crypto_sign_publickey($pair);
        } else {
            $key = openssl_pkey_get_private($pem, '');
            $details = $key === false ? [] : openssl_pkey_get_details($key);
            if (($details['type'] ?? null) !== OPENSSL_KEYTYPE_RSA) {
                throw new Failure("dbsync.signkey: $file: " . self::trouble($file, $pem));
            }
            $this->rsa = $key;
            $public = self::derOf($details['key']);
        }
        $this->id = hash('sha256', $public, true);
    }

    /** Returns why a file contains no usable key, and the remedy. */
    private static function trouble(string $file, string $pem): string
    {
        if (is_dir($file)) {
            return 'is a folder; specify the private key file in it';
        }
        $found = [
            '/^\s*$/D' => 'is empty; copy the file again, or make a new pair: dbsync-keygen',
            '/ENCRYPTED/' => 'is encrypted; make a copy without a passphrase: openssl pkey -in FILE -out private.pem',
            '/BEGIN [A-Z ]*PUBLIC KEY/' => 'contains a public key, which cannot sign. Specify the private file of the pair.',
            '/BEGIN CERTIFICATE/' => 'contains a certificate, but no private key. Specify the file of the private key.',
            '/^(?!.*BEGIN )/s' => 'contains no PEM block; correct the path',
        ];
        foreach ($found as $pattern => $trouble) {
            if (preg_match($pattern, $pem) === 1) {
                return $trouble;
            }
        }
        return 'contains no private RSA or Ed25519 key; make a pair: dbsync-keygen';
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
            throw new Failure('dbsync.signkey: cannot sign: ' . openssl_error_string());
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
