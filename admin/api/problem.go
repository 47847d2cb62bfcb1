package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/signin"
)

const problemType = "application/problem+json"

// Problem is the body of every error (RFC 9457). Further members may follow.
type Problem struct { //nolint:errname // the document names it so
	Type      string             `json:"type" doc:"The page that explains this kind of problem."`
	Title     string             `json:"title"`
	Status    int                `json:"status"`
	Detail    string             `json:"detail" doc:"What happened and what to do next, for the person who asked."`
	Instance  string             `json:"instance"`
	Code      string             `json:"code" doc:"The kind of problem, for programs."`
	RequestID string             `json:"request_id" doc:"Tell it to whoever runs Lockkeeper; the log has it."`
	Errors    []admin.FieldError `json:"errors,omitempty" doc:"The parts of the request that are wrong."`

	extra      map[string]any
	retryAfter time.Duration
	allow      string // the Allow header of a 405
}

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns the media type of problems.
func (p *Problem) ContentType(string) string { return problemType }

// GetHeaders returns the headers that go with the problem.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{"Cache-Control": {"no-store"}}
	if p.retryAfter > 0 {
		h.Set("Retry-After", retryAfter(p.retryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="lockkeeper", error="invalid_token"`)
	}
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
	return h
}

// MarshalJSON writes the members of the problem and the further ones, which
// never stand in for those.
func (p *Problem) MarshalJSON() ([]byte, error) {
	type plain Problem
	own, err := json.Marshal((*plain)(p))
	if err != nil || len(p.extra) == 0 {
		return own, err
	}
	members := map[string]any{}
	maps.Copy(members, p.extra)
	var known map[string]json.RawMessage
	if err := json.Unmarshal(own, &known); err != nil {
		return nil, err
	}
	for name, value := range known {
		members[name] = value
	}
	return json.Marshal(members)
}

func retryAfter(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}

// fail is an error of the edge itself.
func fail(slug, detail string) *admin.Error {
	return &admin.Error{Code: kinds[slug].code, Slug: slug, Text: detail}
}

// problem turns any error into what the caller may see of it. It is the only
// place that does.
func (a *API) problem(ctx context.Context, err error) *Problem {
	id := requestID(ctx)
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	e := known(ctx, err)
	if e.Code == admin.Internal {
		a.cfg.Log.ErrorContext(ctx, "request failed", slog.String("request_id", id), slog.String("operation", operationName(ctx)), slog.String("cause", cause(e)))
	} else if e.Err != nil {
		a.cfg.Log.InfoContext(ctx, "request refused", slog.String("request_id", id), slog.String("operation", operationName(ctx)),
			slog.String("code", e.Slug), slog.String("cause", cause(e.Err)))
	}
	slug := e.Slug
	if slug == "invalid-request" || slug == "" && e.Code == admin.Invalid {
		slug = "bad-request"
	}
	status, title := statusOf(e.Code), ""
	if k, found := kinds[slug]; found {
		status, title = k.status, k.title
	}
	p := &Problem{
		Status: status, Title: cmp.Or(title, http.StatusText(status)), Detail: e.Text, Code: cmp.Or(slug, string(e.Code)),
		RequestID: id, Errors: e.Fields, retryAfter: e.RetryAfter, extra: e.Extra,
	}
	if e.Code == admin.Internal {
		p.Code, p.Detail, p.Title, p.Status = "internal", "Something went wrong on our side. Tell whoever runs Lockkeeper this id: "+id, kinds["internal"].title, http.StatusInternalServerError
		p.Errors, p.extra = nil, nil
	}
	if p.retryAfter > 0 {
		p.extra = maps.Clone(p.extra)
		if p.extra == nil {
			p.extra = map[string]any{}
		}
		p.extra["retry_after_ms"] = p.retryAfter.Milliseconds()
	}
	p.Type = a.base() + "/problems/" + p.Code
	p.Instance = apiBase + "/requests/" + id
	return p
}

// known returns the error as one of ours.
func known(ctx context.Context, err error) *admin.Error {
	if e, ok := errors.AsType[*admin.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*signin.Error](err); ok {
		return signinError(e)
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		f := fail("body-too-large", "The body is larger than "+strconv.FormatInt(e.Limit, 10)+" bytes.")
		f.Extra = map[string]any{"limit": e.Limit}
		return f
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return interrupted(ctx)
	}
	if ctx.Err() != nil { // what was under way failed because of it, in words of its own
		e := interrupted(ctx)
		e.Err = cmp.Or(e.Err, err)
		return e
	}
	return &admin.Error{Code: admin.Internal, Err: err}
}

// signinError is what went wrong while somebody proved who they are.
func signinError(e *signin.Error) *admin.Error {
	out := &admin.Error{Code: admin.Unauthenticated, Slug: "sign-in-failed", Text: e.Text(), Err: e}
	switch e.Kind {
	case signin.KindUnavailable:
		out.Code, out.Slug, out.RetryAfter = admin.Unavailable, "sign-in-unavailable", time.Minute
	case signin.KindBusy:
		out.Code, out.Slug, out.RetryAfter = admin.Unavailable, "sign-in-unavailable", 2*time.Second
	case signin.KindPassword:
		out.Code, out.Slug = admin.Unprocessable, "password-refused"
	case signin.KindGroup:
		out.Code, out.Slug = admin.Forbidden, "group-missing"
	case signin.KindRestart, signin.KindDenied, signin.KindToken, signin.KindClaims, signin.KindRevoked, signin.KindHeader, signin.KindLink:
	}
	return out
}

// cause describes an error for the log by the types in its chain: its text may
// hold SQL or values. Only errors of the operating system speak for themselves.
func cause(err error) string {
	if e, ok := errors.AsType[*signin.Error](err); ok {
		return e.Error() // holds no secret, by its promise
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e.Error()
	}
	var types []string
	for ; err != nil && len(types) < 12; err = errors.Unwrap(err) {
		types = append(types, typeName(err))
	}
	return strings.Join(types, " > ")
}

func statusOf(c admin.Code) int {
	switch c {
	case admin.Invalid:
		return http.StatusBadRequest
	case admin.Unauthenticated:
		return http.StatusUnauthorized
	case admin.Forbidden:
		return http.StatusForbidden
	case admin.NotFound:
		return http.StatusNotFound
	case admin.Conflict:
		return http.StatusConflict
	case admin.Gone:
		return http.StatusGone
	case admin.Precondition:
		return http.StatusPreconditionFailed
	case admin.TooLarge:
		return http.StatusRequestEntityTooLarge
	case admin.Unprocessable:
		return http.StatusUnprocessableEntity
	case admin.Quota:
		return http.StatusTooManyRequests
	case admin.Unavailable:
		return http.StatusServiceUnavailable
	case admin.Internal:
		return http.StatusInternalServerError
	default:
		return http.StatusInternalServerError
	}
}

// write answers with a problem outside of an operation.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := a.problem(r.Context(), err)
	maps.Copy(w.Header(), p.GetHeaders())
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // whoever left cannot be told
}

// validation turns what huma found wrong with a request into a problem.
func (a *API) validation(hc huma.Context, m *huma.ErrorModel) *Problem {
	slug, detail := "bad-request", "The request is not as the API describes it."
	switch m.Status {
	case http.StatusRequestEntityTooLarge:
		slug, detail = "body-too-large", "The body is too large."
	case http.StatusUnsupportedMediaType:
		slug, detail = "unsupported-media-type", "Send the body as application/json."
	case http.StatusInternalServerError:
		return a.problem(hc.Context(), errors.New("unexpected"))
	}
	e := fail(slug, detail)
	for _, d := range m.Errors {
		if len(e.Fields) == maxFields {
			break
		}
		e.Fields = append(e.Fields, admin.FieldError{Pointer: pointer(d.Location), Message: a.told(hc.Operation(), d)})
	}
	if n := len(e.Fields); n > 0 && slug == "bad-request" { // many programs show nothing but the detail
		e.Text = fmt.Sprintf("The request is not as the API describes it: %s: %s.", e.Fields[0].Pointer, e.Fields[0].Message)
		if n > 1 {
			e.Text += fmt.Sprintf(" See errors for %d more.", n-1)
		}
	}
	return a.problem(hc.Context(), e)
}

// maxFields bounds how many wrong parts an answer names.
const maxFields = 32

// told says what is wrong with a part of a request; of a name that is not known,
// which are.
func (a *API) told(op *huma.Operation, d *huma.ErrorDetail) string {
	var known []string
	switch d.Message {
	case validation.MsgUnexpectedProperty:
		known = a.members(op, d.Location)
	case msgUnknownParameter:
		for _, p := range op.Parameters {
			if p.In == "query" {
				known = append(known, p.Name)
			}
		}
	default:
		return d.Message
	}
	return unknownName(known)
}

func unknownName(known []string) string {
	if len(known) == 0 {
		return "there is nothing of this name"
	}
	return "there is nothing of this name; known are " + strings.Join(slices.Sorted(slices.Values(known)), ", ")
}

// msgUnknownParameter is huma's word, which it has no name for.
const msgUnknownParameter = "unknown query parameter"

// members returns the names that could stand in a body instead of the one at a
// place (body.params[0].nam), or nil.
func (a *API) members(op *huma.Operation, place string) []string {
	if op.RequestBody == nil || op.RequestBody.Content[mediaJSON] == nil {
		return nil
	}
	s := op.RequestBody.Content[mediaJSON].Schema
	steps := strings.Split(strings.TrimPrefix(pointer(place), "/"), "/")
	for _, step := range steps[:len(steps)-1] {
		if s = a.resolved(s); s == nil {
			return nil
		}
		if s.Type == huma.TypeArray {
			s = s.Items
		} else {
			s = s.Properties[step]
		}
	}
	if s = a.resolved(s); s == nil {
		return nil
	}
	return slices.Collect(maps.Keys(s.Properties))
}

func (a *API) resolved(s *huma.Schema) *huma.Schema {
	if s != nil && s.Ref != "" {
		return a.huma.OpenAPI().Components.Schemas.SchemaFromRef(s.Ref)
	}
	return s
}

// pointer turns a place as huma writes it (body.params[0].name) into a JSON
// pointer, and the place of a parameter (query.limit) into its name.
func pointer(place string) string {
	where, rest, _ := strings.Cut(place, ".")
	if where != "body" {
		return cmp.Or(rest, where)
	}
	if rest == "" {
		return "/"
	}
	return "/" + strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(rest)
}
