package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker (see the Makefile); a plain go build keeps this word.
var version = "devel"

func main() {
	// SIGTERM and Ctrl-C end every command by its context. SIGHUP is serve's.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// execute runs one command line and returns the exit code: 0 done, 1 the
// command said no or broke, 2 the command line itself is wrong.
func execute(ctx context.Context, args []string) int {
	root := newRootCommand()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	if _, told := errors.AsType[quietError](err); !told {
		fmt.Fprintf(os.Stderr, "lockkeeper: %v\n", err)
	}
	if _, wrong := errors.AsType[usageError](err); wrong {
		fmt.Fprintf(os.Stderr, "Try: %s --help\n", cmd.CommandPath())
		return 2
	}
	return 1
}

// quietError ends a command with exit code 1 when it has already told the
// user everything, such as a check that printed its findings.
type quietError struct{}

func (quietError) Error() string { return "told already" }

// usageError is a command line that makes no sense.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }
