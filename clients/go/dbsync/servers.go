package dbsync

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

const (
	defaultServers = "127.0.0.1:1111"
	defaultPort    = 1111
	maxServers     = 64
	maxPins        = 8
	serverForms    = "host:port,host:port with host a name, IPv4 or IPv6 as [::1]:1111; the port may be left out (1111); " +
		"with TLS dbsyncs://host:port, or dbsyncs://host:port#sha256:… with the fingerprint of that daemon's key"
)

// address is one daemon of the list of servers.
type address struct {
	host        string
	port        int
	isEncrypted bool
	// pins contains the pinned fingerprints, 32 bytes each. One of them must be that of the daemon's key.
	pins []string
}

// String returns the name of the server in messages.
func (a address) String() string {
	if a.isEncrypted {
		return "dbsyncs://" + a.hostPort()
	}
	return a.hostPort()
}

func (a address) hostPort() string { return net.JoinHostPort(a.host, strconv.Itoa(a.port)) }

// isLoopback returns whether the server runs on this machine.
func (a address) isLoopback() bool {
	ip, err := netip.ParseAddr(a.host)
	return a.host == "localhost" || err == nil && ip.IsLoopback()
}

// parseServers returns the addresses of a list, in order and without duplicates.
func parseServers(servers, option string) ([]address, error) {
	var found []address
	known := map[string]address{}
	for _, entry := range strings.Split(servers, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		parsed, err := parseServer(entry, option)
		if err != nil {
			return nil, err
		}
		other, isKnown := known[parsed.hostPort()]
		if isKnown && fmt.Sprint(other) != fmt.Sprint(parsed) {
			return nil, badOption(option, entry, "each server only once; several fingerprints as #sha256:…#sha256:…")
		}
		if !isKnown {
			known[parsed.hostPort()] = parsed
			found = append(found, parsed)
		}
	}
	if len(found) == 0 {
		return nil, badOption(option, servers, "at least one server, as "+serverForms)
	}
	if len(found) > maxServers {
		return nil, badOption(option, fmt.Sprintf("a list of %d", len(found)), fmt.Sprintf("at most %d servers", maxServers))
	}
	return found, nil
}

func parseServer(entry, option string) (address, error) {
	var parsed address
	rest := entry
	if at := strings.LastIndex(entry, "://"); at >= 0 {
		scheme := strings.ToLower(entry[:at])
		rest = entry[at+len("://"):]
		switch scheme {
		case "dbsync", "dbsync2":
		case "dbsyncs", "dbsyncs2":
			parsed.isEncrypted = true
		case "dbsync1", "dbsyncs1":
			return parsed, badOption(option, entry, "servers with version 2; only the clients for Node.js and PHP support version 1")
		default:
			return parsed, badOption(option, entry, serverForms)
		}
	}
	parts := strings.Split(rest, "#")
	pins := parts[1:]
	if len(pins) > 0 && !parsed.isEncrypted {
		return parsed, badOption(option, entry, "a fingerprint only with TLS: write dbsyncs:// before the address")
	}
	if len(pins) > maxPins {
		return parsed, badOption(option, entry, fmt.Sprintf("at most %d fingerprints", maxPins))
	}
	for _, pin := range pins {
		fingerprint, isValid := parsePin(pin)
		if !isValid {
			return parsed, badOption(option, entry, "#sha256: and 64 hexadecimal digits, or base64")
		}
		parsed.pins = append(parsed.pins, fingerprint)
	}
	return parsed, parsed.setPlace(parts[0], entry, option)
}

var hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_.])?$`)

// setPlace reads the host and the port. One server in two spellings would count as two for a policy, so an IPv6 address
// gets its shortest form.
func (a *address) setPlace(place, entry, option string) error {
	host, port := strings.ToLower(place), ""
	isIPv6 := false
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		host, isIPv6 = ip.String(), true
	} else if strings.HasPrefix(host, "[") {
		inner, rest, isEnded := strings.Cut(host[1:], "]")
		ip, err := netip.ParseAddr(inner)
		if !isEnded || err != nil || !ip.Is6() || rest != "" && rest[0] != ':' {
			return badOption(option, entry, serverForms)
		}
		host, port, isIPv6 = ip.String(), rest, true
		if rest == ":" {
			return badOption(option, entry, serverForms)
		}
		port = strings.TrimPrefix(rest, ":")
	} else if name, digits, hasPort := strings.Cut(host, ":"); hasPort {
		if digits == "" {
			return badOption(option, entry, serverForms)
		}
		host, port = name, digits
	}
	if !isIPv6 {
		_, err := netip.ParseAddr(host)
		isNumeric := strings.Trim(host, "0123456789.") == ""
		if isNumeric && err != nil || !hostName.MatchString(host) {
			return badOption(option, entry, serverForms)
		}
	}
	a.host, a.port = host, defaultPort
	if port == "" {
		return nil
	}
	if len(port) > 5 || strings.Trim(port, "0123456789") != "" {
		return badOption(option, entry, serverForms)
	}
	a.port, _ = strconv.Atoi(port)
	if a.port < 1 || a.port > 65535 {
		return badOption(option, entry, "a port from 1 to 65535")
	}
	return nil
}

// parsePin returns the bytes of a fingerprint.
func parsePin(pin string) (fingerprint string, isValid bool) {
	if len(pin) < len("sha256:") || !strings.EqualFold(pin[:len("sha256:")], "sha256:") {
		return "", false
	}
	digits := pin[len("sha256:"):]
	if found, err := hex.DecodeString(digits); err == nil && len(found) == hashBytes {
		return string(found), true
	}
	digits = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimSuffix(digits, "="))
	found, err := base64.RawURLEncoding.DecodeString(digits)
	return string(found), err == nil && len(found) == hashBytes
}
