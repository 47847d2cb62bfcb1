package main

import (
	"log/slog"

	"github.com/coreos/go-systemd/v22/daemon"
)

const (
	notifyReady    = daemon.SdNotifyReady
	notifyStopping = daemon.SdNotifyStopping
)

// notifyReloading carries the time, which newer versions of systemd ask for.
func notifyReloading() string {
	return daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec()
}

// notifySystemd tells the service manager, if there is one.
func notifySystemd(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("notify systemd", slog.Any("error", err))
	}
}
