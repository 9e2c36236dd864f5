package dbsync

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestListsOfServers(t *testing.T) {
	pin := strings.Repeat("ab", 32)
	for list, expected := range map[string]string{
		"a":                           "a:1111",
		"a:1, b:2,,a:1":               "a:1 b:2",
		"127.0.0.1:7":                 "127.0.0.1:7",
		"[::1]:7,::0001:7":            "[::1]:7 [::1:7]:1111",
		"[0:0:0:0:0:0:0:1]":           "[::1]:1111",
		"dbsync2://A":                 "a:1111",
		"dbsyncs://a:2#sha256:" + pin: "dbsyncs://a:2",
		"dbsyncs://a#sha256:q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=": "dbsyncs://a:1111",
	} {
		found, err := parseServers(list, "Servers")
		if text := strings.Trim(fmt.Sprint(found), "[]"); err != nil || text != strings.Trim(expected, "[]") {
			t.Errorf("%s: %s %v", list, text, err)
		}
		for _, each := range found {
			for _, fingerprint := range each.pins {
				if hexOf(fingerprint) != pin {
					t.Errorf("%s: %x", list, fingerprint)
				}
			}
		}
	}
	for list, reason := range map[string]string{
		"":                            "at least one server",
		"a:0":                         "a port from 1 to 65535",
		"a:65536":                     "a port from 1 to 65535",
		"a:":                          "host:port",
		"[::1":                        "host:port",
		"[::1]7":                      "host:port",
		"300.1.1.1":                   "host:port",
		"a b":                         "host:port",
		"redis://a":                   "host:port",
		"dbsync1://a":                 "only the clients for Node.js and PHP support version 1",
		"a#sha256:" + pin:             "a fingerprint only with TLS",
		"dbsyncs://a#sha256:00":       "64 hexadecimal digits",
		"dbsyncs://a#md5:" + pin:      "64 hexadecimal digits",
		"dbsyncs://a,a":               "each server only once",
		strings.Repeat("a,", 1) + ":": "host:port",
	} {
		_, err := parseServers(list, "Servers")
		var failed *Error
		if !errors.As(err, &failed) || failed.Code != CodeBadOption || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v", list, err)
		}
	}
	many := make([]string, maxServers+1)
	for index := range many {
		many[index] = fmt.Sprintf("a%d", index)
	}
	if _, err := parseServers(strings.Join(many, ","), "Servers"); err == nil {
		t.Error("too many servers were accepted")
	}
}
