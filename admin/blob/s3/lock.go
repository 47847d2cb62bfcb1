package s3

import "sync"

// nameLocks keeps those apart who change the same name, so that what is
// replaced or deleted is counted once. Others do not wait. The zero value is
// ready.
type nameLocks struct {
	mu   sync.Mutex // guards held
	held map[string]*nameLock
}

type nameLock struct {
	sync.Mutex
	users int // holder and those who wait
}

// lock is held over requests, each of which has a deadline.
func (l *nameLocks) lock(name string) (unlock func()) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[string]*nameLock{}
	}
	one := l.held[name]
	if one == nil {
		one = &nameLock{}
		l.held[name] = one
	}
	one.users++
	l.mu.Unlock()
	one.Lock()
	return func() {
		one.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if one.users--; one.users == 0 {
			delete(l.held, name)
		}
	}
}
