package api

import (
	"html"
	"net/http"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/admin"
)

// kind is one kind of problem: what its page says.
type kind struct {
	status int
	code   admin.Code
	title  string
	text   string
}

// kinds are the problems of the API by their code. A use case may have others;
// they have the status of their family and no page.
var kinds = map[string]kind{
	"bad-request":            {400, admin.Invalid, "The request is not understood", "A member or parameter is unknown, missing or of the wrong type. The member errors names each place. Unknown members are refused so that a typing error cannot pass unseen."},
	"token-in-url":           {400, admin.Invalid, "A token was sent in the address", "Addresses end up in logs and histories. Send tokens in the Authorization header only, and revoke the one that was sent: it may have been seen."},
	"unauthenticated":        {401, admin.Unauthenticated, "Nobody is signed in", "Sign in, or send a token that is neither expired nor revoked: Authorization: Bearer lk_pat_…"},
	"sign-in-failed":         {401, admin.Unauthenticated, "The sign-in did not work", "Login or proof are wrong, or the account is closed. Try again or ask an administrator."},
	"assertion-refused":      {401, admin.Unauthenticated, "The assertion is not accepted", "It must be a JWT of an issuer that the server's configuration names (web.workloads), made for the audience there, not expired, with the claims of one of its rules, whose token is live and works from the caller's address. The server's log says what was wrong."},
	"forbidden":              {403, admin.Forbidden, "Not allowed", "You may know of this and may not do it. Ask an administrator for the role that may."},
	"scope-missing":          {403, admin.Forbidden, "The token lacks a scope", "The member scope names it. Make a token that has it."},
	"group-missing":          {403, admin.Forbidden, "Not in a required group", "The identity provider knows you, but you are not in a group that may use Lockkeeper."},
	"cross-origin":           {403, admin.Forbidden, "The request came from another site", "A page of another origin cannot act with your session. Programs use a token."},
	"target-forbidden":       {403, admin.Forbidden, "No access to this warehouse", "No grant gives you a role at this warehouse. Ask an administrator."},
	"write-not-allowed":      {403, admin.Forbidden, "Writing is not allowed", "The run or the token only reads. Ask for access read_write, with the scope runs:write_dml."},
	"policy-denied":          {403, admin.Forbidden, "Refused by policy", "A rule of the house refuses this statement. The detail says which and why."},
	"not-found":              {404, admin.NotFound, "Not found", "This doesn't exist or isn't open to you. Both have the same answer, on purpose."},
	"method-not-allowed":     {405, admin.Invalid, "Method not allowed", "This path has other methods: see the header Allow."},
	"format-unavailable":     {406, admin.Invalid, "No such format", "The member formats names those there are."},
	"run-not-finished":       {409, admin.Conflict, "The run has not finished", "Rows are there when the run has ended. Ask again, with Prefer: wait."},
	"conflict":               {409, admin.Conflict, "The world moved on", "What the request builds on has changed. Read it again."},
	"result-expired":         {410, admin.Gone, "The rows are gone", "They were deleted or have expired; the SQL may still be there. Run it again."},
	"version-conflict":       {412, admin.Precondition, "Somebody changed it meanwhile", "The version in If-Match is not the newest. Read it, join the changes, send again."},
	"body-too-large":         {413, admin.TooLarge, "The body is too large", "The member limit says how many bytes are allowed."},
	"sql-too-large":          {413, admin.TooLarge, "The SQL is too large", "The member limit says how many bytes are allowed."},
	"unsupported-media-type": {415, admin.Invalid, "The body has the wrong type", "Send JSON with Content-Type: application/json. POST /query also takes application/sql from callers with a token."},
	"host-mismatch":          {421, admin.Invalid, "The address is not ours", "The Host header is not that of external_url. A proxy in between must pass it on unchanged."},
	"sql-error":              {422, admin.Unprocessable, "The SQL failed", "The members sqlstate, hint and position say what the warehouse reported."},
	"multiple-statements":    {422, admin.Unprocessable, "More than one statement", "Allow it with multi: true."},
	"param-missing":          {422, admin.Unprocessable, "A parameter has no value", "Give every :name a value in params."},
	"too-many-rows":          {422, admin.Unprocessable, "Too many rows for this format", "Take csv or parquet, or fewer rows."},
	"run-failed":             {422, admin.Unprocessable, "The run failed", "The members run_id and error say how."},
	"password-refused":       {422, admin.Unprocessable, "The password cannot be used", "The detail says how to choose a better one."},
	"idempotency-key-reused": {422, admin.Unprocessable, "The key was used for another request", "An Idempotency-Key belongs to one body for 24 hours. Take a new one."},
	"if-match-required":      {428, admin.Precondition, "If-Match is missing", "Send the ETag of the version that the change builds on."},
	"rate-limited":           {429, admin.Quota, "Too many requests", "Wait as long as Retry-After says."},
	"too-many-tries":         {429, admin.Quota, "Too many tries", "Wait as long as Retry-After says, then sign in again."},
	"too-many-streams":       {429, admin.Quota, "Too many streams", "Close some: each caller may hold few at once."},
	"too-many-waiting":       {429, admin.Quota, "Too many requests at once", "Waits, pages and downloads that have not ended are counted for each caller. Wait for some of them."},
	"quota-exceeded":         {429, admin.Quota, "A quota is used up", "The detail says which and when it is full again."},
	"too-many-queued":        {429, admin.Quota, "Too many runs wait already", "Wait for some of them, or cancel them."},
	"headers-too-many":       {400, admin.Invalid, "A header came twice", "Headers that decide who asks may come once."},
	"internal":               {500, admin.Internal, "Something went wrong on our side", "The log of the server has more under the request's id."},
	"audit-unavailable":      {503, admin.Unavailable, "The record is unavailable", "What cannot be recorded is not done. Ask whoever runs Lockkeeper."},
	"record-unavailable":     {503, admin.Unavailable, "The record is unavailable", "What cannot be recorded is not done. Ask whoever runs Lockkeeper."},
	"sign-in-unavailable":    {503, admin.Unavailable, "Signing in is not possible now", "The identity provider is away, or too many sign in at once. Try again shortly."},
	"target-paused":          {503, admin.Unavailable, "The warehouse is paused", "An operator paused it. The detail says until when."},
	"target-down":            {503, admin.Unavailable, "The warehouse is away", "It cannot be reached. Runs wait for it."},
	"pages-busy":             {503, admin.Unavailable, "Too many rows are on their way", "The memory for pages of rows is used up by readers who have not taken theirs. Wait as long as Retry-After says, and ask for fewer rows at a time."},
	"charts-busy":            {503, admin.Unavailable, "Too many charts at once", "Charts of large results are made one after the other. Wait as long as Retry-After says, or group in the SQL."},
	"sorts-busy":             {503, admin.Unavailable, "Too many sorts at once", "Large results are sorted one after the other. Wait as long as Retry-After says, or sort in the SQL."},
	"exports-busy":           {503, admin.Unavailable, "Too many exports at once", "A Parquet file is made of groups of rows that are held in memory; only so many are written at once. Wait as long as Retry-After says, or export as CSV."},
	"warehouse-silent":       {503, admin.Unavailable, "The warehouse does not answer", "It is asked whether you may open what others ran. Try again when it answers; what you ran yourself is open."},
	"queue-full":             {503, admin.Unavailable, "The queue is full", "Too many statements wait. Try again later."},
	"interrupted":            {503, admin.Unavailable, "Interrupted", "The request ended before it was answered, or the server is stopping. Ask again."},
	"unavailable":            {503, admin.Unavailable, "A part is away", "The same request may work later."},

	// Of single use cases.
	"query-only":              {403, admin.Forbidden, "The token runs saved queries only", "It is bound to saved queries. Name one of them, or take another token."},
	"version-not-released":    {403, admin.Forbidden, "This version is not released", "The token runs the version it was made for and those released to its service. Whoever holds the service can release another: POST /queries/{id}/release."},
	"share-not-allowed":       {403, admin.Forbidden, "They may not read it", "A result is shown only to those who may read what the run read. Ask an administrator for a grant."},
	"share-not-yet":           {409, admin.Conflict, "It can't be shared yet", "Nobody can tell what the run read until it has ended. One that never began is its owner's alone."},
	"exists":                  {409, admin.Conflict, "It is there already", "Another has this name. Take a new one, or change the one there is."},
	"disabled":                {409, admin.Conflict, "The account is closed", "Enable it first."},
	"last-admin":              {409, admin.Conflict, "The last administrator", "Somebody must decide about people. Make somebody else an admin of all warehouses first."},
	"password-elsewhere":      {409, admin.Conflict, "The password is kept elsewhere", "Change it at the identity provider."},
	"team-holds-services":     {409, admin.Conflict, "The team holds services", "Give its services to another team first."},
	"page-too-large":          {413, admin.TooLarge, "The page is too large", "Ask for fewer rows at a time, or take the whole result as a download."},
	"params-too-large":        {413, admin.TooLarge, "The parameters are too large", "Load large lists into a table and join it."},
	"saved-already":           {422, admin.Unprocessable, "It is saved already", "A saved query stays one. Fork it for a draft."},
	"sql-empty":               {422, admin.Unprocessable, "No statement", "The SQL has nothing to run."},
	"copy-not-possible":       {422, admin.Unprocessable, "COPY needs another client", "Take psql for COPY from STDIN or to STDOUT, or use SELECT and download the result."},
	"param-choice":            {422, admin.Unprocessable, "Not one of the choices", "The saved query declares which values the parameter may have."},
	"param-list":              {422, admin.Unprocessable, "The list has too few or too many values", "On Redshift a list is written out. Load longer ones into a table and join it."},
	"version-unknown":         {422, admin.Unprocessable, "No such version", "GET /queries/{id}/versions lists those there are."},
	"no-rows":                 {422, admin.Unprocessable, "The statement gave no rows", "Name a statement that did, with the parameter statement."},
	"not-computable":          {422, admin.Unprocessable, "The chart cannot be computed", "The detail says which part does not fit the result."},
	"person-unknown":          {422, admin.Unprocessable, "Nobody has this login", "Or they may not come in. GET /people lists who there is."},
	"too-many-viewers":        {422, admin.Unprocessable, "Too many viewers", "Share with a team by a grant instead of naming each of its people."},
	"catalog-refused":         {422, admin.Unprocessable, "The warehouse did not tell its tables", "The detail is what the warehouse said. Ask whoever runs it."},
	"idempotency-key-missing": {400, admin.Invalid, "Idempotency-Key is missing", "A service that writes sends it, so that a repeated request does not write twice."},
}

// problemPage explains one kind of problem to people.
func (a *API) problemPage(w http.ResponseWriter, r *http.Request) {
	code := r.PathValue("code")
	k, found := kinds[code]
	if !found {
		a.refuse(w, r, admin.Missing())
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	page := strings.NewReplacer("{code}", html.EscapeString(code), "{status}", strconv.Itoa(k.status),
		"{title}", html.EscapeString(k.title), "{text}", html.EscapeString(k.text)).Replace(problemHTML)
	_, _ = w.Write([]byte(page)) // whoever left cannot be told
}

const problemHTML = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title} — Lockkeeper</title></head>
<body><main><h1>{title}</h1><p>{text}</p><p>Code <code>{code}</code>, status {status}.</p></main></body></html>
`
