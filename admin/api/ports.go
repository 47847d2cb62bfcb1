package api

import (
	"context"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/admin/signin"
)

// Machines says which machine an issuer vouches for; *signin.Workload meets it.
type Machines interface {
	Verify(ctx context.Context, assertion string) (signin.Machine, error)
}

// Runs are the use cases of runs; *query.Runs meets it.
type Runs interface {
	Submit(ctx context.Context, c *admin.Caller, req query.Request) (query.Submitted, error)
	Get(ctx context.Context, c *admin.Caller, id string) (query.Run, error)
	Wait(ctx context.Context, c *admin.Caller, id string, version int64) (query.Run, error)
	List(ctx context.Context, c *admin.Caller, f query.Filter) (query.Page, error)
	Live(ctx context.Context, c *admin.Caller) ([]query.Run, error)
	Cancel(ctx context.Context, c *admin.Caller, id, reason string) (query.Run, error)
	Lease(ctx context.Context, c *admin.Caller, id string) error
	Update(ctx context.Context, c *admin.Caller, id string, ch query.Change) (query.Run, error)
	Delete(ctx context.Context, c *admin.Caller, id string) error
	Viewers(ctx context.Context, c *admin.Caller, id string) ([]query.Viewer, error)
	AddViewer(ctx context.Context, c *admin.Caller, id, login string) error
	RemoveViewer(ctx context.Context, c *admin.Caller, id, login string) error
	Rows(ctx context.Context, c *admin.Caller, id string, req query.RowsRequest) (query.RowsPage, error)
	Aggregate(ctx context.Context, c *admin.Caller, id string, statement int, chart []byte) (query.Chart, error)
	Export(ctx context.Context, c *admin.Caller, id string, req query.ExportRequest) (*query.Export, error)
	Latest(ctx context.Context, c *admin.Caller, queryID string) (string, error)
}

// Library are the use cases of saved queries; *query.Library meets it.
type Library interface {
	List(ctx context.Context, c *admin.Caller, f query.SavedFilter) (query.SavedPage, error)
	Create(ctx context.Context, c *admin.Caller, n query.NewSaved) (query.Saved, error)
	Get(ctx context.Context, c *admin.Caller, id string) (query.Saved, error)
	Update(ctx context.Context, c *admin.Caller, id string, rev int64, ch query.SavedChange) (query.Saved, error)
	Delete(ctx context.Context, c *admin.Caller, id string) error
	Versions(ctx context.Context, c *admin.Caller, id string) ([]query.Version, error)
	Version(ctx context.Context, c *admin.Caller, id string, n int) (query.Version, error)
	Fork(ctx context.Context, c *admin.Caller, id string) (query.Saved, error)
	Star(ctx context.Context, c *admin.Caller, id string, on bool) error
	Release(ctx context.Context, c *admin.Caller, id string, version int, service string) (query.Saved, error)
}

// Catalog are the use cases of tables; *query.Catalog meets it.
type Catalog interface {
	Tables(ctx context.Context, c *admin.Caller, target, q, cursor string, limit int) (query.TablePage, error)
	Table(ctx context.Context, c *admin.Caller, target, schema, name string) (query.TableDetail, error)
	Completions(ctx context.Context, c *admin.Caller, target string) (query.Completions, error)
}

// Explainer says what a text would do; *query.Explainer meets it.
type Explainer interface {
	Explain(ctx context.Context, c *admin.Caller, req query.ExplainRequest) (query.Explanation, error)
}
