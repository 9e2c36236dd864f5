package dbsync

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"syscall"
)

const (
	minRSABits  = 2048
	rsaExponent = 65537
	maxKeyBytes = 1 << 20
	newPair     = "make a new pair: dbsync-keygen"
	expectedKey = "expected rsa or ed25519; " + newPair
	pemText     = "the key passed as PEM text"
)

var (
	pemBlock   = regexp.MustCompile(`(?m)^-----BEGIN ([^\r\n]{1,64}?)-----`)
	escapedPEM = regexp.MustCompile(`-----BEGIN [^\r\n]{1,64}?-----\\n`)
	shellWord  = regexp.MustCompile(`^[\w@%+=:,./-]+$`)
)

// signer is a private key with its id.
type signer struct {
	// id is the SHA-256 of the public key (SubjectPublicKeyInfo).
	id  string
	key crypto.Signer
}

// loadSigner loads a private key: the path of a file, or PEM text. It returns a warning about the file, or "".
func loadSigner(key string) (loaded *signer, warning string, err error) {
	place, content := pemText, []byte(key)
	if !strings.Contains(key, "-----BEGIN") {
		place = key
		if content, warning, err = readKeyFile(key); err != nil {
			return nil, "", err
		}
	}
	block, err := privateBlock(place, content)
	if err != nil {
		return nil, "", err
	}
	private, err := parsePrivate(place, block)
	if err != nil {
		return nil, "", err
	}
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return nil, "", badKey(place+" is damaged: "+err.Error(), err)
	}
	id := sha256.Sum256(public)
	return &signer{id: string(id[:]), key: private}, warning, nil
}

// sign returns the signature of bytes. digest is their SHA-256.
func (s *signer) sign(signed, digest []byte) ([]byte, error) {
	if key, isRSA := s.key.(*rsa.PrivateKey); isRSA {
		return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest)
	}
	return s.key.Sign(nil, signed, crypto.Hash(0))
}

func readKeyFile(path string) (content []byte, warning string, err error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", badKey(path+" does not exist. Correct the path, or make a pair of keys: dbsync-keygen", err)
	}
	if err == nil {
		defer file.Close()
		content, err = io.ReadAll(io.LimitReader(file, maxKeyBytes+1))
	}
	if errors.Is(err, syscall.EISDIR) {
		return nil, "", badKey(path+" is a folder instead of a file. Specify the private key file in it.", err)
	}
	if err != nil {
		return nil, "", badKey(fmt.Sprintf("%s cannot be read (%s). Permit the user that runs this program to read it.", path, reasonOf(err)), err)
	}
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() && info.Mode()&0o004 != 0 {
		warning = fmt.Sprintf("%s can be read by every user of this machine. Change that: chmod 600 %s", path, path)
	}
	return content, warning, nil
}

// privateBlock returns the only PEM block, which must be a private key.
func privateBlock(place string, content []byte) (*pem.Block, error) {
	if len(content) == 0 {
		return nil, badKey(fmt.Sprintf("%s is empty. Copy the file again, or %s", place, newPair), nil)
	}
	if escapedPEM.Match(content) {
		return nil, badKey(place+` contains the two characters \n instead of line breaks, as in an .env file. Replace them with line breaks.`, nil)
	}
	text := bytes.TrimPrefix(content, []byte("\ufeff"))
	var labels []string
	start := 0
	for _, each := range pemBlock.FindAllSubmatchIndex(text, -1) {
		label := string(text[each[2]:each[3]])
		if strings.HasSuffix(label, " PARAMETERS") {
			continue
		}
		if labels == nil {
			start = each[0]
		}
		labels = append(labels, label)
	}
	if len(labels) == 0 {
		return nil, badKey(place+" "+otherForm(place, content), nil)
	}
	if len(labels) > 1 {
		return nil, badKey(fmt.Sprintf("%s contains several PEM blocks (%s). Put the one to be used into a separate file.",
			place, strings.Join(labels, ", ")), nil)
	}
	label := labels[0]
	if problem := publicLabel(place, label); problem != "" {
		return nil, badKey(place+" "+problem, nil)
	}
	text = text[start:]
	end := bytes.Index(text, []byte("-----END "+label+"-----"))
	if end < 0 {
		return nil, badKey(fmt.Sprintf("%s is damaged: its last line, which begins with -----END, is missing. Copy the file again, or %s", place, newPair), nil)
	}
	if !bytes.Contains(text[:end], []byte("\n")) {
		return nil, badKey(place+" contains a PEM block without line breaks. Put -----BEGIN …----- and -----END …----- on lines of their own.", nil)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, damaged(place, errors.New("its base64 cannot be read"))
	}
	if strings.Contains(label, "ENCRYPTED") || block.Headers["DEK-Info"] != "" {
		return nil, badKey(fmt.Sprintf("%s is encrypted, and this client does not decrypt keys. Make a copy without a passphrase: openssl pkey -provider legacy -provider default -in %s -out private.pem",
			place, wordOf(place)), nil)
	}
	return block, nil
}

// publicLabel returns why a block with this label is not a private key that this client reads, or "".
func publicLabel(place, label string) string {
	switch {
	case label == "OPENSSH PRIVATE KEY":
		return "is in OpenSSH's own format. Convert a copy: cp " + wordOf(place) + " private.pem && ssh-keygen -p -m PKCS8 -f private.pem"
	case strings.HasSuffix(label, "PUBLIC KEY"):
		return "contains a public key, which cannot sign. Specify the private file of the pair."
	case strings.HasSuffix(label, "CERTIFICATE REQUEST"):
		return "contains a certificate request, but no private key. Specify the file of the private key."
	case strings.HasSuffix(label, "CERTIFICATE"):
		return "contains a certificate, but no private key. Specify the file of the private key."
	case !strings.HasSuffix(label, "PRIVATE KEY"):
		return fmt.Sprintf("contains a %q instead of a private key. Correct the path.", label)
	}
	return ""
}

// otherForm returns what a file without a PEM block contains, and the remedy.
func otherForm(place string, content []byte) string {
	for _, prefix := range []string{"ssh-", "ecdsa-sha2-", "sk-"} {
		if bytes.HasPrefix(content, []byte(prefix)) {
			return "contains an OpenSSH public key, which cannot sign. Specify the private file of the pair."
		}
	}
	if bytes.HasPrefix(content, []byte("PuTTY-User-Key-File-")) {
		return "is in PuTTY's own format. Convert it: puttygen " + wordOf(place) + " -O private-openssh -o private.pem"
	}
	if len(content) > 1 && content[0] == '0' && content[1] >= 0x81 && content[1] <= 0x84 {
		return "is in binary form (DER) instead of PEM. Convert it: openssl pkey -inform DER -in " + wordOf(place) + " -out private.pem"
	}
	return `contains no PEM block, which begins with a line "-----BEGIN …-----". Correct the path.`
}

// wordOf returns a key's name for a shell command, quoted as the other clients do.
func wordOf(place string) string {
	if place == pemText {
		return "FILE"
	}
	if strings.HasPrefix(place, "-") {
		place = "./" + place
	}
	if shellWord.MatchString(place) {
		return place
	}
	return "'" + strings.ReplaceAll(place, "'", `'\''`) + "'"
}

func damaged(place string, err error) *Error {
	return badKey(fmt.Sprintf("%s is damaged: %v. Copy the file again, or %s", place, err, newPair), err)
}

// privateKeyInfo is the beginning of a private key in PKCS#8.
type privateKeyInfo struct {
	Version   int
	Algorithm struct {
		Algorithm  asn1.ObjectIdentifier
		Parameters asn1.RawValue `asn1:"optional"`
	}
	PrivateKey []byte
}

// keyTypes contains the types of keys that cannot sign commands, by their object identifiers.
var keyTypes = map[string]string{
	"1.2.840.113549.1.1.10": "rsa-pss",
	"1.2.840.10045.2.1":     "ec",
	"1.2.840.10040.4.1":     "dsa",
	"1.3.101.110":           "x25519",
	"1.3.101.111":           "x448",
	"1.3.101.113":           "ed448",
}

func parsePrivate(place string, block *pem.Block) (crypto.Signer, error) {
	var parsed any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		parsed = &ecdsa.PrivateKey{}
	default:
		var info privateKeyInfo
		if _, problem := asn1.Unmarshal(block.Bytes, &info); problem == nil {
			if name := keyTypes[info.Algorithm.Algorithm.String()]; name != "" {
				return nil, badKey(fmt.Sprintf("%s is a key of type %s; %s", place, name, expectedKey), nil)
			}
		}
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, damaged(place, err)
	}
	switch key := parsed.(type) {
	case ed25519.PrivateKey:
		return key, nil
	case *rsa.PrivateKey:
		if bits := key.N.BitLen(); bits < minRSABits {
			return nil, badKey(fmt.Sprintf("%s is an RSA key of %d bits, and %d is the minimum that is safe; %s", place, bits, minRSABits, newPair), nil)
		}
		if key.E != rsaExponent {
			return nil, badKey(fmt.Sprintf("%s is an RSA key with the exponent %d instead of %d; %s", place, key.E, rsaExponent, newPair), nil)
		}
		return key, nil
	}
	return nil, badKey(fmt.Sprintf("%s is a key of type ec; %s", place, expectedKey), nil)
}
