package api

import (
	"context"
	"net/http"

	"github.com/lockkeeper/lockkeeper/admin"
)

// operatorKey marks requests that came by the machine's own socket.
type operatorKey struct{}

// OperatorHandler serves whoever works at the machine itself, as
// admin.Operator: give it only a unix socket in a folder that the server's user
// alone may enter. They could write the store's file, so nothing is asked of
// them; what they do is recorded as any other's.
func (a *API) OperatorHandler() http.Handler {
	inner := a.edge(false)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(context.WithValue(r.Context(), operatorKey{}, true))
		r.Host = a.out.host // a socket has no name of its own
		r.URL.Path, r.URL.RawPath = a.out.prefix+r.URL.Path, ""
		inner.ServeHTTP(w, r)
	})
}

// operator returns the machine's operator, if that is who asks.
func operator(ctx context.Context) *admin.Caller {
	if here, _ := ctx.Value(operatorKey{}).(bool); here {
		return admin.Operator()
	}
	return nil
}
