package dbsync

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// distrusted is the reason why a server's pinned key was not accepted.
type distrusted string

func (e distrusted) Error() string { return string(e) }

// readAuthorities returns the authorities of the option CA: the path of a file, or PEM text. Without one it returns
// nil, for those that this machine trusts.
func readAuthorities(ca string) (*x509.CertPool, error) {
	if ca == "" {
		return nil, nil
	}
	pem := []byte(ca)
	if !strings.Contains(ca, "-----BEGIN") {
		var err error
		if pem, err = os.ReadFile(ca); err != nil {
			return nil, badOption("CA", ca, fmt.Sprintf("a file that can be read (%v), or PEM text", reasonOf(err)))
		}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, badOption("CA", ca, "certificates as PEM")
	}
	return pool, nil
}

// tlsConfig returns the configuration for a server. With a fingerprint, only the server's key counts; the authority,
// the names and the dates of its certificate do not. Source: docs/decisions/0005-clients-pin-the-daemons-key.md.
func (a address) tlsConfig(authorities *x509.CertPool) *tls.Config {
	if !a.isEncrypted {
		return nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: a.host, RootCAs: authorities}
	if len(a.pins) > 0 {
		config.InsecureSkipVerify = true
		config.VerifyConnection = a.requirePin
	}
	return config
}

// requirePin verifies the pinned key, in resumed connections too.
func (a address) requirePin(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return distrusted("it showed no certificate")
	}
	fingerprint := sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo)
	if contains(a.pins, string(fingerprint[:])) {
		return nil
	}
	return distrusted(fmt.Sprintf("its key is sha256:%s, which is not the one in the list; "+
		"an attacker may have intercepted the connection, or the key is new", hex.EncodeToString(fingerprint[:])))
}

// handshakeTrouble explains a failed handshake.
func handshakeTrouble(err error) string {
	var doubt distrusted
	if errors.As(err, &doubt) {
		return string(doubt)
	}
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	if errors.As(err, &authority) || errors.As(err, &name) || errors.As(err, &invalid) {
		return err.Error() + "; if you know its key, pin it: #sha256:… after its entry in the list"
	}
	var record tls.RecordHeaderError
	if errors.As(err, &record) {
		return "it does not use TLS; connect to it with dbsync://"
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return "closed during the handshake; is TLS configured there (--tls-cert)? If not, connect to it with dbsync://"
	}
	return fmt.Sprintf("the handshake failed (%v)", err)
}

// reasonOf returns the system's reason of an error, without the names that texts add.
func reasonOf(err error) string {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number.Error()
	}
	return err.Error()
}
