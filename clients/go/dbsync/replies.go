package dbsync

import (
	"fmt"
	"strconv"
)

// Text returns the reply of a call as text. The error is ErrNil if the reply is nil.
func Text(reply any, err error) (string, error) {
	switch value := reply.(type) {
	case string:
		return value, err
	case Status:
		return string(value), err
	case int64:
		return strconv.FormatInt(value, 10), err
	}
	return "", mismatch(reply, err, "text")
}

// Int returns the reply of a call as a number. The error is ErrNil if the reply is nil.
func Int(reply any, err error) (int64, error) {
	switch value := reply.(type) {
	case int64:
		return value, err
	case string:
		if number, problem := strconv.ParseInt(value, 10, 64); problem == nil {
			return number, err
		}
	}
	return 0, mismatch(reply, err, "a number")
}

// List returns the reply of a call as a list. The error is ErrNil if the reply is nil.
func List(reply any, err error) ([]any, error) {
	if list, isList := reply.([]any); isList {
		return list, err
	}
	return nil, mismatch(reply, err, "a list")
}

func mismatch(reply any, err error, expected string) error {
	if err != nil {
		return err
	}
	if reply == nil {
		return ErrNil
	}
	return fmt.Errorf("the reply is %.80q instead of %s", fmt.Sprint(reply), expected)
}
