// Command dbsync-go signs a command, sends it to all servers, and prints the answer. DBSYNC_SERVERS and DBSYNC_SIGNKEY
// name the servers and the key. It exits with 1 if the command failed, and with 2 without a reply.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"dbsyncd.example/go/dbsync"
)

func main() {
	reply, err := send(os.Args[1:])
	var failed *dbsync.Error
	switch {
	case err == nil:
		show(reply)
	case errors.As(err, &failed) && failed.Code == dbsync.CodeReply:
		fmt.Fprintln(os.Stderr, "(error)", err)
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "dbsync:", err)
		os.Exit(2)
	}
}

func send(words []string) (any, error) {
	client, err := dbsync.Open(dbsync.Options{})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	command := make([]any, len(words))
	for index, word := range words {
		command[index] = word
	}
	return client.Call(context.Background(), command...)
}

// show prints a reply as lines, and bytes unchanged.
func show(reply any) {
	list, isList := reply.([]any)
	switch {
	case isList:
		for _, item := range list {
			show(item)
		}
	case reply == nil:
		fmt.Println()
	default:
		fmt.Println(reply)
	}
}
